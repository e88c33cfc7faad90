#include "adapters/libzip/zip_directory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

#include "core/bundle_path.h"
#include "core/error_codes.h"
#include "core/limits.h"
#include "core/text.h"

namespace infra {
namespace {

// Ten thousand entries with names of 1 KiB and some extra fields: a directory past this is no honest one.
constexpr std::uint64_t kMaxDirectoryBytes = 16 * limits::kMiB;
constexpr std::uint64_t kRecordBytes = 22;
constexpr std::uint64_t kMaxCommentBytes = 0xffff;
constexpr std::uint64_t kLocatorBytes = 20;
constexpr std::uint64_t kRecord64Bytes = 56;
constexpr std::size_t kHeaderBytes = 46;
constexpr std::uint64_t kUtf8Flag = 1 << 11;
constexpr std::uint32_t kRecordSignature = 0x06054b50;
constexpr std::uint32_t kLocatorSignature = 0x07064b50;
constexpr std::uint32_t kRecord64Signature = 0x06064b50;
constexpr std::uint32_t kHeaderSignature = 0x02014b50;

std::unexpected<Error> not_a_zip(std::string_view why) {
  return fail(errors::not_a_zip, fmt::format("The file is not a usable ZIP: {}.", why));
}

std::uint64_t number_at(std::string_view bytes, std::size_t offset, std::size_t length) {
  std::uint64_t value = 0;
  for (std::size_t i = length; i > 0; --i) value = (value << 8) | static_cast<unsigned char>(bytes[offset + i - 1]);
  return value;
}

bool begins_with(std::string_view bytes, std::uint32_t signature) {
  return bytes.size() >= 4 && number_at(bytes, 0, 4) == signature;
}

// A file whose end has been read already.
class Tail {
 public:
  Tail(int file, std::uint64_t file_bytes)
      : file_(file), from_(file_bytes - std::min(file_bytes, kRecordBytes + kMaxCommentBytes)) {
    if (auto bytes = read_at(from_, file_bytes - from_)) end_ = std::move(*bytes);
  }
  [[nodiscard]] std::string_view bytes() const { return end_; }
  [[nodiscard]] std::uint64_t from() const { return from_; }
  // Nullopt if that is not all in the file.
  [[nodiscard]] std::optional<std::string> read_at(std::uint64_t offset, std::uint64_t length) const {
    if (offset >= from_ && offset - from_ <= end_.size() && length <= end_.size() - (offset - from_)) {
      return end_.substr(offset - from_, length);
    }
    std::string bytes(length, '\0');
    for (std::size_t done = 0; done < length;) {
      const ssize_t n = ::pread(file_, bytes.data() + done, length - done, static_cast<off_t>(offset + done));
      if (n <= 0) return std::nullopt;
      done += static_cast<std::size_t>(n);
    }
    return bytes;
  }

 private:
  int file_;
  std::uint64_t from_;
  std::string end_;
};

// What a record at the end says, and where what belongs to it begins.
struct EndRecord {
  std::uint64_t entries = 0;
  std::uint64_t directory_bytes = 0;
  std::uint64_t directory_offset = 0;
  std::uint64_t place = 0;
};

std::optional<EndRecord> read_record_64(const Tail& tail, std::uint64_t record_place) {
  if (record_place < kLocatorBytes + kRecord64Bytes) return std::nullopt;
  const std::uint64_t behind = record_place - kLocatorBytes;
  const auto locator = tail.read_at(behind, kLocatorBytes);
  if (!locator || !begins_with(*locator, kLocatorSignature)) return std::nullopt;
  // Where it should be; or, as it may be longer, where the locator says, if nothing stands in front of the archive.
  for (const std::uint64_t place : {behind - kRecord64Bytes, number_at(*locator, 8, 8)}) {
    if (place > behind - kRecord64Bytes) continue;
    const auto record = tail.read_at(place, kRecord64Bytes);
    if (!record || !begins_with(*record, kRecord64Signature)) continue;
    return EndRecord{.entries = number_at(*record, 32, 8),
                     .directory_bytes = number_at(*record, 40, 8),
                     .directory_offset = number_at(*record, 48, 8),
                     .place = place};
  }
  return std::nullopt;
}

// Where the directory is that a record speaks of; its bytes are not read yet.
struct Found {
  EndRecord record;
  std::uint64_t start = 0;
};

std::optional<Found> find_directory(const Tail& tail, std::size_t at) {
  const std::string_view bytes = tail.bytes().substr(at, kRecordBytes);
  EndRecord record{.entries = number_at(bytes, 10, 2),
                   .directory_bytes = number_at(bytes, 12, 4),
                   .directory_offset = number_at(bytes, 16, 4),
                   .place = tail.from() + at};
  if (record.entries == 0xffff || record.directory_bytes == 0xffffffff || record.directory_offset == 0xffffffff) {
    const auto record_64 = read_record_64(tail, record.place);
    if (!record_64) return std::nullopt;
    record = *record_64;
  }
  if (record.directory_bytes > record.place) return std::nullopt;
  const auto is_directory = [&](std::uint64_t place) {
    if (record.entries == 0) return record.directory_bytes == 0;
    const auto header = tail.read_at(place, 4);
    return header && begins_with(*header, kHeaderSignature);
  };
  // Right in front of the record, whatever stands in front of the archive; or where the record says.
  const std::uint64_t place = record.place - record.directory_bytes;
  if (record.directory_offset <= place && is_directory(place)) {
    return Found{.record = record, .start = place - record.directory_offset};
  }
  if (record.directory_offset < place && is_directory(record.directory_offset)) return Found{.record = record};
  return std::nullopt;
}

std::optional<Found> find_archive(const Tail& tail) {
  if (tail.bytes().size() < kRecordBytes) return std::nullopt;
  const std::size_t last = tail.bytes().size() - kRecordBytes;
  // A comment may itself hold the signature, so the record that ends the file goes first.
  for (const bool ends_the_file : {true, false}) {
    for (std::size_t at = last + 1; at-- > 0;) {
      if (!begins_with(tail.bytes().substr(at), kRecordSignature)) continue;
      if (ends_the_file && at + number_at(tail.bytes(), at + 20, 2) != last) continue;
      if (auto found = find_directory(tail, at)) return found;
    }
  }
  return std::nullopt;
}

// Every line begins as one should, and their number is what the record says. Of names what the library can't tell: it
// cuts them off at a NUL, makes glyphs of control characters, and calls the whole directory broken for bad UTF-8.
Result<void> check_lines(std::string_view bytes, std::uint64_t entries) {
  for (; !bytes.empty(); --entries) {
    if (entries == 0 || bytes.size() < kHeaderBytes || !begins_with(bytes, kHeaderSignature)) {
      return not_a_zip("its directory is damaged");
    }
    const std::size_t name_bytes = number_at(bytes, 28, 2);
    const std::size_t line_bytes = kHeaderBytes + name_bytes + number_at(bytes, 30, 2) + number_at(bytes, 32, 2);
    if (line_bytes > bytes.size()) return not_a_zip("its directory is damaged");
    const std::string_view name = bytes.substr(kHeaderBytes, name_bytes);
    const bool says_utf8 = (number_at(bytes, 8, 2) & kUtf8Flag) != 0;
    if (has_control_character(name) || (says_utf8 && !is_valid_utf8(name))) return fail(bundle_path(name).error());
    bytes.remove_prefix(line_bytes);
  }
  if (entries != 0) return not_a_zip("its directory is damaged");
  return {};
}

}  // namespace

Result<ZipDirectory> read_zip_directory(int file, std::uint64_t file_bytes) {
  if (file_bytes == 0) return not_a_zip("it is empty");
  const Tail tail(file, file_bytes);
  const auto found = find_archive(tail);
  if (!found) return not_a_zip("it has no directory at its end; it may have been cut off, or be something else");
  const EndRecord& record = found->record;
  if (record.entries > limits::kMaxEntries || record.directory_bytes > kMaxDirectoryBytes) {
    return fail(errors::bundle_too_many_entries, fmt::format("The ZIP has more than {} entries.", limits::kMaxEntries));
  }
  if (record.directory_offset >= 0xffffffff) return not_a_zip("it is larger than 4 GiB");
  auto bytes = tail.read_at(found->start + record.directory_offset, record.directory_bytes);
  if (!bytes) return not_a_zip("its directory is damaged");
  if (auto ok = check_lines(*bytes, record.entries); !ok) return fail(ok.error());
  return ZipDirectory{
      .start = found->start, .offset = record.directory_offset, .entries = record.entries, .bytes = std::move(*bytes)};
}

}  // namespace infra
