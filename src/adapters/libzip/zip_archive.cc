#include "adapters/libzip/zip_archive.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "adapters/libzip/zip_end_record.h"
#include "core/job_result.h"
#include "core/limits.h"
#include "core/text.h"

namespace infra {
namespace {

// Ten thousand entries with names of 1 KiB and some extra fields: a directory past this is no honest one.
constexpr std::uint64_t kMaxDirectoryBytes = 16 * limits::kMiB;
// What the format itself costs an entry at least: a local header and a line of the directory (APPNOTE 4.3.7, 4.3.12).
constexpr std::uint64_t kEntryOverheadBytes = 30 + 46;
constexpr std::string_view kLocalHeader{"PK\x03\x04", 4};
constexpr std::string_view kEmptyArchive{"PK\x05\x06", 4};

std::unexpected<Error> not_a_zip(std::string_view why) {
  return fail(ErrorKind::invalid, "not_a_zip", fmt::format("The file is not a usable ZIP: {}.", why));
}

std::unexpected<Error> refuse(std::string code, std::string_view name, std::string_view why) {
  return fail(ErrorKind::invalid, std::move(code),
              fmt::format("The ZIP entry \"{}\" {}.", replace_invalid_utf8(cut_utf8(name, 100)), why));
}

std::unexpected<Error> too_many_entries() {
  return fail(ErrorKind::invalid, "bundle_too_many_entries",
              fmt::format("The ZIP has more than {} entries.", limits::kMaxEntries));
}

class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// Cheap checks on the two ends of the file, so that libzip never sees what is none of its business.
Result<std::uint64_t> check_frame(const std::filesystem::path& path) {
  const OpenFile file(path);
  struct stat info{};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) {
    return fail(ErrorKind::internal, "bundle_unreadable",
                fmt::format("The bundle can't be read: {}.", std::strerror(errno)));
  }
  std::array<char, 4> magic{};
  const ssize_t got = ::pread(file.get(), magic.data(), magic.size(), 0);
  if (got == 0) return not_a_zip("it is empty");
  const std::string_view start(magic.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (start != kLocalHeader && start != kEmptyArchive) return not_a_zip("it does not begin as a ZIP does");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  const auto end = read_zip_end_record(file.get(), size);
  if (!end) return not_a_zip("its directory is missing, so it may have been cut off");
  if (end->entries > limits::kMaxEntries || end->directory_bytes > kMaxDirectoryBytes) return too_many_entries();
  return size;
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

EntryType entry_type(zip_t* archive, std::size_t index, std::string_view name) {
  const bool folder_name = name.ends_with('/');
  switch (unix_mode(archive, index).value_or(0) & S_IFMT) {
    case 0:
      return folder_name ? EntryType::directory : EntryType::file;  // many writers set permissions only
    case S_IFREG:
      return folder_name ? EntryType::other : EntryType::file;
    case S_IFDIR:
      return folder_name ? EntryType::directory : EntryType::other;
    case S_IFLNK:
      return EntryType::symlink;
    default:
      return EntryType::other;
  }
}

Result<BundleEntry> read_entry(zip_t* archive, std::size_t index) {
  zip_stat_t info;
  zip_stat_init(&info);
  constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
  if (zip_stat_index(archive, index, ZIP_FL_ENC_RAW, &info) != 0 || (info.valid & kNeeded) != kNeeded) {
    return not_a_zip("its directory is damaged");
  }
  BundleEntry entry{.name = info.name, .packed_bytes = info.comp_size, .unpacked_bytes = info.size};
  entry.type = entry_type(archive, index, entry.name);
  entry.encrypted = (info.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && info.encryption_method != ZIP_EM_NONE;
  if (!entry.encrypted && info.comp_method != ZIP_CM_STORE && info.comp_method != ZIP_CM_DEFLATE) {
    return refuse("bundle_compression", entry.name, "is packed by another method than deflate; pack it with plain zip");
  }
  if (entry.type == EntryType::directory && entry.unpacked_bytes > 0) {
    return refuse("bundle_corrupt", entry.name, "is a folder that holds data");
  }
  return entry;
}

}  // namespace

bool UnpackBudget::take(std::uint64_t bytes) {
  taken_ += bytes;
  return taken_ <= limits::kMaxUnpackedBytes;
}

ZipArchive::ZipArchive(Handle handle, std::vector<BundleEntry> entries)
    : handle_(std::move(handle)), entries_(std::move(entries)) {}

Result<ZipArchive> ZipArchive::open(const std::filesystem::path& path) {
  const auto file_bytes = check_frame(path);
  if (!file_bytes) return fail(file_bytes.error());
  int code = 0;
  // Without ZIP_CHECKCONS, which refuses what Info-ZIP writes to a pipe. The directory alone is believed, and read()
  // holds it against the data.
  Handle handle(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (!handle) return not_a_zip(code == ZIP_ER_INCONS ? "its parts disagree" : "its directory is damaged");
  const auto count = static_cast<std::uint64_t>(zip_get_num_entries(handle.get(), 0));
  if (count > limits::kMaxEntries) return too_many_entries();

  std::vector<BundleEntry> entries;
  entries.reserve(count);
  std::uint64_t needed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    auto entry = read_entry(handle.get(), i);
    if (!entry) return fail(entry.error());
    needed += std::min(entry->packed_bytes, *file_bytes) + kEntryOverheadBytes + 2 * entry->name.size();
    entries.push_back(std::move(*entry));
  }
  // Entries that share their packed bytes are how a small file unpacks to petabytes (Fifield, "A better zip bomb",
  // 2019).
  if (needed > *file_bytes) return not_a_zip("its entries overlap");
  return ZipArchive(std::move(handle), std::move(entries));
}

bool ZipArchive::is_executable(std::size_t index) const {
  return (unix_mode(handle_.get(), index).value_or(0) & 0111) != 0;
}

Result<void> ZipArchive::read(std::size_t index, UnpackBudget& budget, const Sink& sink) const {
  struct Close {
    void operator()(zip_file_t* file) const { zip_fclose(file); }
  };
  const BundleEntry& entry = entries_[index];
  const std::unique_ptr<zip_file_t, Close> file(zip_fopen_index(handle_.get(), index, 0));
  if (!file) return refuse("bundle_corrupt", entry.name, "can't be unpacked");

  std::vector<char> buffer(64 * 1024);
  std::uint64_t total = 0;
  while (true) {
    const zip_int64_t got = zip_fread(file.get(), buffer.data(), buffer.size());
    if (got < 0) return refuse("bundle_corrupt", entry.name, "is damaged: its checksum or its packed data are wrong");
    if (got == 0) break;
    total += static_cast<std::uint64_t>(got);
    if (total > entry.unpacked_bytes)
      return refuse("bundle_corrupt", entry.name, "is larger than the ZIP's directory says");
    if (!budget.take(static_cast<std::uint64_t>(got))) {
      return fail(ErrorKind::too_large, "bundle_too_large_unpacked",
                  fmt::format("The ZIP unpacks to more than {} MiB.", limits::kMaxUnpackedBytes / limits::kMiB));
    }
    if (auto ok = sink(std::span(buffer.data(), static_cast<std::size_t>(got))); !ok) return ok;
  }
  if (total != entry.unpacked_bytes)
    return refuse("bundle_corrupt", entry.name, "is smaller than the ZIP's directory says");
  return {};
}

}  // namespace infra
