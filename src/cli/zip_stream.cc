#include "cli/zip_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>

namespace infra::cli {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{64} * 1024;
constexpr std::uint16_t kVersion = 20;    // 2.0: deflate
constexpr std::uint16_t kFlags = 0x0808;  // sizes behind the data, names in UTF-8
constexpr std::uint16_t kDeflated = 8;
constexpr std::uint32_t kTime = 0x00210000;  // 1980-01-01 00:00, the first that there is
constexpr std::uint16_t kMadeOnUnix = 3 << 8;

void put16(std::string& out, std::uint16_t number) {
  out += static_cast<char>(number & 0xff);
  out += static_cast<char>(number >> 8);
}

void put32(std::string& out, std::uint32_t number) {
  put16(out, static_cast<std::uint16_t>(number & 0xffff));
  put16(out, static_cast<std::uint16_t>(number >> 16));
}

std::uint32_t mode_of(const CodeFile& file) {
  return file.is_link ? 0120777U : file.is_executable ? 0100755U : 0100644U;
}

Bytef* as_bytes(char* text) {
  return reinterpret_cast<Bytef*>(text);  // NOLINT: zlib's bytes are unsigned
}

}  // namespace

ZipStream::~ZipStream() {
  if (packing_) deflateEnd(&deflate_);
}

Outcome<std::size_t> ZipStream::read(std::span<char> room) {
  while (taken_ == out_.size()) {
    if (ended_) return 0;
    out_.clear();
    taken_ = 0;
    if (auto made = produce(); !made) return failed(std::move(made.error()));
  }
  const std::size_t count = out_.copy(room.data(), room.size(), taken_);
  taken_ += count;
  return count;
}

Outcome<void> ZipStream::produce() {
  if (packing_) return pack_piece();
  if (written_.size() < files_.size()) return open_next();
  write_directory();
  ended_ = true;
  return {};
}

Outcome<void> ZipStream::open_next() {
  const CodeFile& file = files_[written_.size()];
  link_.clear();
  file_ = {};
  if (file.is_link) {
    std::error_code error;
    link_ = std::filesystem::read_symlink(file.source, error).string();
    if (error) return wrong_usage(fmt::format("{} can't be read: {}.", file.source.string(), error.message()));
  } else {
    file_.open(file.source, std::ios::binary);
    if (!file_) return wrong_usage(fmt::format("{} can't be read: {}.", file.source.string(), std::strerror(errno)));
  }
  deflate_ = {};
  constexpr int kRaw = -15;  // no header of zlib's
  if (deflateInit2(&deflate_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kRaw, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
  packing_ = true;
  written_.push_back({.offset = static_cast<std::uint32_t>(produced_), .crc = 0, .compressed = 0, .size = 0});
  std::string header = "PK\x03\x04";
  put16(header, kVersion);
  put16(header, kFlags);
  put16(header, kDeflated);
  put32(header, kTime);
  put32(header, 0);  // checksum and sizes come behind the data
  put32(header, 0);
  put32(header, 0);
  put16(header, static_cast<std::uint16_t>(file.path.size()));
  put16(header, 0);
  header += file.path;
  out_ += header;
  produced_ += header.size();
  return {};
}

Outcome<void> ZipStream::pack_piece() {
  const CodeFile& file = files_[written_.size() - 1];
  Written& entry = written_.back();
  std::array<char, kPieceBytes> piece{};
  std::size_t count = 0;
  if (file.is_link) {
    count = link_.copy(piece.data(), piece.size(), entry.size);
  } else {
    file_.read(piece.data(), piece.size());
    count = static_cast<std::size_t>(file_.gcount());
    if (file_.bad() || (count == 0 && entry.size < file.size))
      return wrong_usage(fmt::format("{} can't be read to its end; has it just changed?", file.source.string()));
  }
  const bool last = count < piece.size();
  entry.crc = static_cast<std::uint32_t>(crc32(entry.crc, as_bytes(piece.data()), static_cast<uInt>(count)));
  entry.size += static_cast<std::uint32_t>(count);
  packed_ += count;
  deflate_.next_in = as_bytes(piece.data());
  deflate_.avail_in = static_cast<uInt>(count);
  std::array<char, kPieceBytes> deflated{};
  do {
    deflate_.next_out = as_bytes(deflated.data());
    deflate_.avail_out = kPieceBytes;
    deflate(&deflate_, last ? Z_FINISH : Z_NO_FLUSH);
    const std::size_t made = kPieceBytes - deflate_.avail_out;
    out_.append(deflated.data(), made);
    entry.compressed += static_cast<std::uint32_t>(made);
    produced_ += made;
  } while (deflate_.avail_out == 0);
  if (last) end_file();
  return {};
}

void ZipStream::end_file() {
  deflateEnd(&deflate_);
  packing_ = false;
  const Written& entry = written_.back();
  std::string descriptor = "PK\x07\x08";
  put32(descriptor, entry.crc);
  put32(descriptor, entry.compressed);
  put32(descriptor, entry.size);
  out_ += descriptor;
  produced_ += descriptor.size();
}

void ZipStream::write_directory() {
  const auto begin = static_cast<std::uint32_t>(produced_);
  std::string directory;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    directory += "PK\x01\x02";
    put16(directory, static_cast<std::uint16_t>(kMadeOnUnix | kVersion));
    put16(directory, kVersion);
    put16(directory, kFlags);
    put16(directory, kDeflated);
    put32(directory, kTime);
    put32(directory, written_[i].crc);
    put32(directory, written_[i].compressed);
    put32(directory, written_[i].size);
    put16(directory, static_cast<std::uint16_t>(files_[i].path.size()));
    put16(directory, 0);  // extra field
    put16(directory, 0);  // comment
    put16(directory, 0);  // disk
    put16(directory, 0);  // attributes
    put32(directory, mode_of(files_[i]) << 16);
    put32(directory, written_[i].offset);
    directory += files_[i].path;
  }
  const auto size = static_cast<std::uint32_t>(directory.size());
  directory += "PK\x05\x06";
  put32(directory, 0);  // disks
  put16(directory, static_cast<std::uint16_t>(files_.size()));
  put16(directory, static_cast<std::uint16_t>(files_.size()));
  put32(directory, size);
  put32(directory, begin);
  put16(directory, 0);
  out_ += directory;
  produced_ += directory.size();
}

}  // namespace infra::cli
