#include "adapters/libzip/zip_archive.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "adapters/libzip/zip_source.h"
#include "core/bundle_path.h"
#include "core/error_codes.h"
#include "core/limits.h"
#include "core/system_errors.h"
#include "core/text.h"

namespace infra {
namespace {

// What the format itself costs an entry at least: a local header and a line of the directory (APPNOTE 4.3.7, 4.3.12).
constexpr std::uint64_t kEntryOverheadBytes = 30 + 46;
constexpr std::uint64_t kPieceBytes = 64 * 1024;
constexpr zip_uint32_t kDosFolder = 0x10;

std::unexpected<Error> not_a_zip(std::string_view why) {
  return fail(errors::not_a_zip, fmt::format("The file is not a usable ZIP: {}.", why));
}

std::unexpected<Error> refuse(const ErrorEntry& entry, std::string_view name, std::string_view why) {
  return fail(entry, fmt::format("The ZIP entry \"{}\" {}.", shown_name(name), why));
}

std::unexpected<Error> unreadable() {
  const int code = errno;
  return disk_failure(code, errors::bundle_unreadable,
                      fmt::format("The bundle can't be read: {}.", std::strerror(code)));
}

// Only archives made on Unix say what an entry is in their attributes' high half (as st_mode); others know files and
// folders.
std::optional<mode_t> unix_mode(zip_t* archive, std::size_t index) {
  zip_uint8_t system = 0;
  zip_uint32_t attributes = 0;
  if (zip_file_get_external_attributes(archive, index, 0, &system, &attributes) != 0) return std::nullopt;
  if (system != ZIP_OPSYS_UNIX && system != ZIP_OPSYS_OS_X) return std::nullopt;
  return static_cast<mode_t>(attributes >> 16);
}

// As unzip does: a folder is what ends in a slash, whatever else is said of it. Some tools forget the slash.
EntryType entry_type(zip_t* archive, std::size_t index, const zip_stat_t& info) {
  const bool folder_name = std::string_view(info.name).ends_with('/');
  const auto folder_if = [](bool folder) { return folder ? EntryType::directory : EntryType::file; };
  const auto mode = unix_mode(archive, index);
  if (!mode) {
    zip_uint32_t attributes = 0;
    (void)zip_file_get_external_attributes(archive, index, 0, nullptr, &attributes);
    return folder_if(folder_name || (info.size == 0 && (attributes & kDosFolder) != 0));
  }
  switch (*mode & S_IFMT) {
    case 0:  // many writers set permissions only
    case S_IFREG:
      return folder_if(folder_name);
    case S_IFDIR:
      return folder_if(folder_name || info.size == 0);
    case S_IFLNK:
      return EntryType::symlink;
    default:
      return EntryType::other;
  }
}

// UTF-8 where the ZIP says so (by flag, or in Info-ZIP's field for it), and where the bytes are it all the same, as on
// macOS and Linux; else what the format says of names: CP437.
std::string entry_name(zip_t* archive, std::size_t index) {
  const char* raw = zip_get_name(archive, index, ZIP_FL_ENC_RAW);
  if (raw == nullptr || is_valid_utf8(raw)) return raw == nullptr ? "" : raw;
  const char* decoded = zip_get_name(archive, index, ZIP_FL_ENC_STRICT);
  return decoded == nullptr ? raw : decoded;
}

Result<BundleEntry> read_entry(zip_t* archive, std::size_t index) {
  zip_stat_t info;
  zip_stat_init(&info);
  constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
  if (zip_stat_index(archive, index, ZIP_FL_ENC_RAW, &info) != 0 || (info.valid & kNeeded) != kNeeded) {
    return not_a_zip("its directory is damaged");
  }
  BundleEntry entry{.name = entry_name(archive, index), .packed_bytes = info.comp_size, .unpacked_bytes = info.size};
  entry.type = entry_type(archive, index, info);
  entry.encrypted = (info.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && info.encryption_method != ZIP_EM_NONE;
  if (!entry.encrypted && info.comp_method != ZIP_CM_STORE && info.comp_method != ZIP_CM_DEFLATE) {
    return refuse(errors::bundle_compression, entry.name,
                  "is packed by another method than deflate; pack it with plain zip");
  }
  return entry;
}

}  // namespace

ZipArchive::ZipArchive(Handle handle, std::vector<BundleEntry> entries)
    : handle_(std::move(handle)), entries_(std::move(entries)) {}

Result<ZipArchive> ZipArchive::open(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (!file || ::fstat(file.get(), &info) != 0) return unreadable();
  auto directory = read_zip_directory(file.get(), static_cast<std::uint64_t>(info.st_size));
  if (!directory) return fail(directory.error());
  const std::uint64_t count = directory->entries;
  const std::uint64_t archive_bytes = directory->offset + directory->bytes.size();

  zip_source_t* source = make_zip_source(std::move(file), std::move(*directory));
  if (source == nullptr) return unreadable();
  // Without ZIP_CHECKCONS, which refuses what Info-ZIP writes to a pipe. The directory alone is believed, and read()
  // holds it against the data.
  zip_error_t why;
  zip_error_init(&why);
  Handle handle(zip_open_from_source(source, ZIP_RDONLY, &why));
  zip_error_fini(&why);
  if (!handle) zip_source_free(source);
  if (!handle || static_cast<std::uint64_t>(zip_get_num_entries(handle.get(), 0)) != count) {
    return not_a_zip("its directory is damaged");
  }

  std::vector<BundleEntry> entries;
  entries.reserve(count);
  std::uint64_t needed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    auto entry = read_entry(handle.get(), i);
    if (!entry) return fail(entry.error());
    needed += std::min(entry->packed_bytes, archive_bytes) + kEntryOverheadBytes;
    entries.push_back(std::move(*entry));
  }
  // Entries that share their packed bytes are how a small file unpacks to petabytes (Fifield, "A better zip bomb",
  // 2019).
  if (needed > archive_bytes) return not_a_zip("its entries overlap");
  ZipArchive archive(std::move(handle), std::move(entries));
  if (auto read = archive.read_targets(); !read) return fail(read.error());
  return archive;
}

// Where links lead: what their entries hold.
Result<void> ZipArchive::read_targets() {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    BundleEntry& entry = entries_[i];
    if (entry.type != EntryType::symlink || entry.encrypted || entry.unpacked_bytes > limits::kMaxLinkBytes) continue;
    std::string target;
    const auto keep = [&](std::span<const char> bytes) {
      target.append(bytes.data(), bytes.size());
      return Result<void>{};
    };
    if (auto ok = read(i, keep); !ok) return ok;
    entry.target = std::move(target);
  }
  return {};
}

bool ZipArchive::is_executable(std::size_t index) const {
  return (unix_mode(handle_.get(), index).value_or(0) & 0111) != 0;
}

Result<void> ZipArchive::read(std::size_t index, const Sink& sink) const {
  struct Close {
    void operator()(zip_file_t* file) const { zip_fclose(file); }
  };
  const BundleEntry& entry = entries_[index];
  const std::unique_ptr<zip_file_t, Close> file(zip_fopen_index(handle_.get(), index, 0));
  if (!file) return refuse(errors::bundle_corrupt, entry.name, "can't be unpacked");

  // One byte more than there should be, so that its end, and with it the checksum, is reached.
  std::vector<char> buffer(std::min(kPieceBytes - 1, entry.unpacked_bytes) + 1);
  std::uint64_t total = 0;
  while (true) {
    const zip_int64_t got = zip_fread(file.get(), buffer.data(), buffer.size());
    if (got < 0)
      return refuse(errors::bundle_corrupt, entry.name, "is damaged: its checksum or its packed data are wrong");
    if (got == 0) break;
    total += static_cast<std::uint64_t>(got);
    if (total > entry.unpacked_bytes)
      return refuse(errors::bundle_corrupt, entry.name, "is larger than the ZIP's directory says");
    if (auto ok = sink(std::span(buffer.data(), static_cast<std::size_t>(got))); !ok) return ok;
  }
  if (total != entry.unpacked_bytes)
    return refuse(errors::bundle_corrupt, entry.name, "is smaller than the ZIP's directory says");
  return {};
}

}  // namespace infra
