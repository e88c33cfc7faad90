#include "adapters/libzip/zip_end_record.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace infra {
namespace {

constexpr std::uint64_t kRecordBytes = 22;
constexpr std::uint64_t kMaxCommentBytes = 0xffff;
constexpr std::uint64_t kLocatorBytes = 20;
constexpr std::uint64_t kRecord64Bytes = 56;
constexpr std::uint32_t kRecordSignature = 0x06054b50;
constexpr std::uint32_t kLocatorSignature = 0x07064b50;
constexpr std::uint32_t kRecord64Signature = 0x06064b50;

std::uint64_t little_endian(std::span<const unsigned char> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) value = (value << 8) | bytes[i - 1];
  return value;
}

std::optional<std::vector<unsigned char>> read_at(int file, std::uint64_t offset, std::uint64_t length) {
  std::vector<unsigned char> bytes(length);
  std::size_t done = 0;
  while (done < length) {
    const ssize_t n = ::pread(file, bytes.data() + done, length - done, static_cast<off_t>(offset + done));
    if (n <= 0) return std::nullopt;
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

std::optional<ZipEndRecord> read_record_64(int file, std::uint64_t record_offset) {
  if (record_offset < kLocatorBytes + kRecord64Bytes) return std::nullopt;
  const auto locator = read_at(file, record_offset - kLocatorBytes, kLocatorBytes);
  if (!locator || little_endian(std::span(*locator).first(4)) != kLocatorSignature) return std::nullopt;
  const std::uint64_t offset = little_endian(std::span(*locator).subspan(8, 8));
  if (offset > record_offset - kLocatorBytes - kRecord64Bytes) return std::nullopt;
  const auto record = read_at(file, offset, kRecord64Bytes);
  if (!record || little_endian(std::span(*record).first(4)) != kRecord64Signature) return std::nullopt;
  return ZipEndRecord{.entries = little_endian(std::span(*record).subspan(32, 8)),
                      .directory_bytes = little_endian(std::span(*record).subspan(40, 8))};
}

}  // namespace

std::optional<ZipEndRecord> read_zip_end_record(int file, std::uint64_t file_bytes) {
  if (file_bytes < kRecordBytes) return std::nullopt;
  const std::uint64_t tail_bytes = std::min(file_bytes, kRecordBytes + kMaxCommentBytes);
  const auto tail = read_at(file, file_bytes - tail_bytes, tail_bytes);
  if (!tail) return std::nullopt;
  for (std::size_t at = tail_bytes - kRecordBytes + 1; at-- > 0;) {
    const auto record = std::span(*tail).subspan(at, kRecordBytes);
    // Only the record whose comment ends with the file: a comment may itself hold the signature.
    if (little_endian(record.first(4)) != kRecordSignature ||
        at + kRecordBytes + little_endian(record.subspan(20, 2)) != tail_bytes) {
      continue;
    }
    const ZipEndRecord found{.entries = little_endian(record.subspan(10, 2)),
                             .directory_bytes = little_endian(record.subspan(12, 4))};
    const bool zip64 = found.entries == 0xffff || found.directory_bytes == 0xffffffff;
    return zip64 ? read_record_64(file, file_bytes - tail_bytes + at) : found;
  }
  return std::nullopt;
}

}  // namespace infra
