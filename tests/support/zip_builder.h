// Writes ZIPs byte by byte, so that tests can make good ones without a tool and hostile ones that no tool would make.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace infra::testing {

// One entry; what is not set is what an honest writer on Unix would put there.
struct ZipEntry {
  std::string name = {};
  std::string content = {};
  bool deflated = true;
  std::uint32_t unix_mode = 0100644;
  std::uint16_t flags = 0x0800;  // names are UTF-8
  std::uint8_t made_on = 3;      // Unix
  std::optional<std::uint16_t> method = {};
  std::optional<std::uint32_t> claimed_crc = {};
  std::optional<std::uint32_t> claimed_size = {};                // in both headers
  std::optional<std::uint32_t> claimed_size_in_local_only = {};  // so that the two disagree
  std::string extra = {};                                        // fields, for both headers
  bool streamed = false;             // sizes and checksum behind the data, as when written to a pipe
  bool zip64 = false;                // sizes in a ZIP64 field, as by writers that can't know how large it gets
  std::uint32_t dos_attributes = 0;  // 0x10: a folder
  bool share_previous_data = false;  // no local header of its own: the directory points at the entry before
};

class ZipBuilder {
 public:
  ZipBuilder& add(ZipEntry entry) {
    if (entry.name.ends_with('/')) entry.deflated = false;
    const Placed placed = entry.share_previous_data ? shared(entry) : write_local(entry);
    last_ = placed;
    write_central(entry, placed);
    ++count_;
    return *this;
  }
  ZipBuilder& add(std::string name, std::string content) {
    return add(ZipEntry{.name = std::move(name), .content = std::move(content)});
  }
  ZipBuilder& add_folder(std::string name) {
    ZipEntry entry;
    entry.name = std::move(name);
    entry.unix_mode = 040755;
    return add(std::move(entry));
  }
  ZipBuilder& claim_entries(std::uint16_t count) {
    claimed_count_ = count;
    return *this;
  }

  ZipBuilder& comment(std::string text) {
    comment_ = std::move(text);
    return *this;
  }
  // The record that others need past 65,535 entries or 4 GiB.
  ZipBuilder& with_zip64_record() {
    zip64_record_ = true;
    return *this;
  }
  // What stands before the archive, with offsets that count it, as self-extracting programs are made in the end.
  ZipBuilder& begin_with(const std::string& bytes) {
    local_ += bytes;
    return *this;
  }

  [[nodiscard]] std::string bytes() const {
    std::string out = local_ + central_;
    const auto count = claimed_count_.value_or(static_cast<std::uint16_t>(count_));
    if (zip64_record_) put_zip64_record(out, count);
    put32(out, 0x06054b50);
    put16(out, 0), put16(out, 0);  // disks
    put16(out, zip64_record_ ? 0xffff : count), put16(out, zip64_record_ ? 0xffff : count);
    put32(out, zip64_record_ ? 0xffffffff : static_cast<std::uint32_t>(central_.size()));
    put32(out, zip64_record_ ? 0xffffffff : static_cast<std::uint32_t>(local_.size()));
    put16(out, static_cast<std::uint32_t>(comment_.size()));
    return out + comment_;
  }
  std::filesystem::path write_to(const std::filesystem::path& path) const {
    std::ofstream(path, std::ios::binary) << bytes();
    return path;
  }

  [[nodiscard]] static std::string deflate(std::string_view content) {
    z_stream stream{};
    if (deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::runtime_error("deflateInit2");
    }
    std::string out(deflateBound(&stream, content.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int done = ::deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    if (done != Z_STREAM_END) throw std::runtime_error("deflate");
    return out;
  }

 private:
  struct Placed {
    std::uint32_t offset = 0, crc = 0, packed = 0, unpacked = 0;
  };

  static void put16(std::string& out, std::uint32_t value) {
    for (int i = 0; i < 2; ++i) out += static_cast<char>(value >> (8 * i));
  }
  static void put32(std::string& out, std::uint32_t value) {
    for (int i = 0; i < 4; ++i) out += static_cast<char>(value >> (8 * i));
  }
  static void put64(std::string& out, std::uint64_t value) {
    for (int i = 0; i < 8; ++i) out += static_cast<char>(value >> (8 * i));
  }
  void put_zip64_record(std::string& out, std::uint64_t count) const {
    const std::uint64_t at = out.size();
    put32(out, 0x06064b50), put64(out, 44), put16(out, 45), put16(out, 45);
    put32(out, 0), put32(out, 0);  // disks
    put64(out, count), put64(out, count), put64(out, central_.size()), put64(out, local_.size());
    put32(out, 0x07064b50), put32(out, 0), put64(out, at), put32(out, 1);
  }
  static std::uint16_t method_of(const ZipEntry& entry) {
    return entry.method.value_or(static_cast<std::uint16_t>(entry.deflated ? 8 : 0));
  }

  // The fields that a local header and a line of the directory have in common, in their common order
  // (APPNOTE 4.3.7, 4.3.12).
  static void put_common(std::string& out, const ZipEntry& entry, const Placed& placed, std::uint32_t unpacked) {
    put16(out, 20);  // version needed
    put16(out, entry.flags | (entry.streamed ? 8U : 0U));
    put16(out, method_of(entry));
    put16(out, 0), put16(out, 0x5d77);  // 2026-11-23 00:00
    put32(out, placed.crc);
    put32(out, entry.zip64 ? 0xffffffff : placed.packed), put32(out, entry.zip64 ? 0xffffffff : unpacked);
    put16(out, static_cast<std::uint32_t>(entry.name.size()));
    put16(out, static_cast<std::uint32_t>(extra_of(entry, placed).size()));
  }
  static std::string extra_of(const ZipEntry& entry, const Placed& placed) {
    std::string extra = entry.extra;
    if (entry.zip64) put16(extra, 1), put16(extra, 16), put64(extra, placed.unpacked), put64(extra, placed.packed);
    return extra;
  }

  Placed write_local(const ZipEntry& entry) {
    const std::string data = entry.deflated ? deflate(entry.content) : entry.content;
    const auto crc =
        crc32(0, reinterpret_cast<const Bytef*>(entry.content.data()), static_cast<uInt>(entry.content.size()));
    const Placed placed{.offset = static_cast<std::uint32_t>(local_.size()),
                        .crc = entry.claimed_crc.value_or(static_cast<std::uint32_t>(crc)),
                        .packed = static_cast<std::uint32_t>(data.size()),
                        .unpacked = entry.claimed_size.value_or(static_cast<std::uint32_t>(entry.content.size()))};
    put32(local_, 0x04034b50);
    if (entry.streamed) {
      put_common(local_, entry, {}, 0);
    } else {
      put_common(local_, entry, placed, entry.claimed_size_in_local_only.value_or(placed.unpacked));
    }
    local_ += entry.name + extra_of(entry, placed) + data;
    if (entry.streamed) {
      put32(local_, 0x08074b50);
      put32(local_, placed.crc), put32(local_, placed.packed), put32(local_, placed.unpacked);
    }
    return placed;
  }
  [[nodiscard]] Placed shared(const ZipEntry&) const { return last_; }

  void write_central(const ZipEntry& entry, const Placed& placed) {
    put32(central_, 0x02014b50);
    put16(central_, 20U | static_cast<std::uint32_t>(entry.made_on << 8));
    put_common(central_, entry, placed, placed.unpacked);
    put16(central_, 0), put16(central_, 0), put16(central_, 0);  // comment, disk, internal attributes
    put32(central_, (entry.unix_mode << 16) | entry.dos_attributes);
    put32(central_, placed.offset);
    central_ += entry.name + extra_of(entry, placed);
  }

  std::string local_;
  std::string central_;
  Placed last_;
  std::size_t count_ = 0;
  std::optional<std::uint16_t> claimed_count_;
  std::string comment_;
  bool zip64_record_ = false;
};

}  // namespace infra::testing
