#include "adapters/libzip/zip_bundle_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include "adapters/libzip/zip_archive.h"

namespace infra {
namespace {

constexpr mode_t kFolderMode = 0755;
constexpr mode_t kFileMode = 0644;
constexpr mode_t kExecutableMode = 0755;

std::unexpected<Error> disk_error(std::string_view what) {
  const int code = errno;
  if (code == ENOSPC || code == EDQUOT) {
    return fail(ErrorKind::unavailable, "disk_full",
                "There is no room on the disk to unpack the bundle; free some and try again.");
  }
  return fail(ErrorKind::internal, "bundle_not_unpacked",
              fmt::format("Unpacking the bundle failed: can't {}: {}.", what, std::strerror(code)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

// The folder that is being filled. It goes away with this, unless everything went well and it was kept.
class NewFolder {
 public:
  static Result<NewFolder> create(const std::filesystem::path& path) {
    if (::mkdir(path.c_str(), kFolderMode) != 0) return disk_error("make the folder");
    NewFolder folder(path);
    folder.fd_ = Descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder.fd_ || ::fchmod(folder.fd_.get(), kFolderMode) != 0) return disk_error("open the folder");
    return folder;
  }
  ~NewFolder() {
    std::error_code ignored;  // what is left is in nobody's way
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  NewFolder(NewFolder&& other) noexcept : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}
  NewFolder& operator=(NewFolder&&) = delete;
  void keep() { path_.clear(); }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit NewFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
  Descriptor fd_;
};

// check_bundle() has refused these names already; this keeps a mistake there from becoming a file outside the folder.
bool is_plain_segment(std::string_view part) {
  return !part.empty() && part != "." && part != "..";
}

Result<Descriptor> open_subfolder(int parent, const std::string& name) {
  if (::mkdirat(parent, name.c_str(), kFolderMode) != 0 && errno != EEXIST) return disk_error("make a folder");
  Descriptor folder(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder || ::fchmod(folder.get(), kFolderMode) != 0) return disk_error("open a folder");
  return folder;
}

// Goes down from `root` through every folder of `name` and makes those that are missing. Gives the last folder, and
// what is left of the name: the file's own, or nothing for a folder.
struct Place {
  Descriptor folder;
  std::string file;
};
Result<Place> make_parents(int root, std::string_view name) {
  Place place{.folder = Descriptor(::fcntl(root, F_DUPFD_CLOEXEC, 0)), .file = {}};
  if (!place.folder) return disk_error("open the folder");
  while (!name.empty()) {
    const std::size_t slash = name.find('/');
    const std::string part(name.substr(0, slash));
    if (!is_plain_segment(part)) {
      return fail(ErrorKind::invalid, "invalid_bundle_path", "A ZIP entry has a path that leaves the bundle.");
    }
    if (slash == std::string_view::npos) {
      place.file = part;
      return place;
    }
    auto next = open_subfolder(place.folder.get(), part);
    if (!next) return fail(next.error());
    place.folder = std::move(*next);
    name.remove_prefix(slash + 1);
  }
  return place;
}

Result<void> write_all(int fd, std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return disk_error("write a file");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> extract_entry(const ZipArchive& archive, std::size_t index, UnpackBudget& budget, int root) {
  const BundleEntry& entry = archive.entries()[index];
  if (entry.type != EntryType::file && entry.type != EntryType::directory) {
    return fail(ErrorKind::invalid, "bundle_has_special_file",
                "The ZIP holds something that is neither file nor folder.");
  }
  auto place = make_parents(root, entry.name);
  if (!place) return fail(place.error());
  if (entry.type == EntryType::directory) return {};
  constexpr int kNewFile = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const Descriptor file(::openat(place->folder.get(), place->file.c_str(), kNewFile, kFileMode));
  if (!file) return disk_error("make a file");
  if (auto ok = archive.read(index, budget, [&](std::span<const char> bytes) { return write_all(file.get(), bytes); });
      !ok) {
    return ok;
  }
  // Whatever the umask is, and nothing of what the ZIP says but the one bit: no setuid, no world-writable files.
  if (::fchmod(file.get(), archive.is_executable(index) ? kExecutableMode : kFileMode) != 0)
    return disk_error("set a mode");
  return {};
}

}  // namespace

Result<std::vector<BundleEntry>> ZipBundleReader::list(const std::filesystem::path& zip) const {
  const auto archive = ZipArchive::open(zip);
  if (!archive) return fail(archive.error());
  return archive->entries();
}

Result<void> ZipBundleReader::extract(const std::filesystem::path& zip, const std::filesystem::path& directory) const {
  const auto archive = ZipArchive::open(zip);
  if (!archive) return fail(archive.error());
  auto folder = NewFolder::create(directory);
  if (!folder) return fail(folder.error());
  UnpackBudget budget;
  for (std::size_t i = 0; i < archive->entries().size(); ++i) {
    if (auto ok = extract_entry(*archive, i, budget, folder->fd()); !ok) return ok;
  }
  folder->keep();
  return {};
}

Result<void> ZipBundleReader::verify(const std::filesystem::path& zip) const {
  const auto archive = ZipArchive::open(zip);
  if (!archive) return fail(archive.error());
  UnpackBudget budget;
  for (std::size_t i = 0; i < archive->entries().size(); ++i) {
    if (auto ok = archive->read(i, budget, [](std::span<const char>) { return Result<void>{}; }); !ok) return ok;
  }
  return {};
}

Result<std::string> ZipBundleReader::read_start(const std::filesystem::path& zip, std::string_view name,
                                                std::size_t max_bytes) const {
  const auto archive = ZipArchive::open(zip);
  if (!archive) return fail(archive.error());
  const auto& entries = archive->entries();
  const auto found = std::ranges::find(entries, name, &BundleEntry::name);
  if (found == entries.end()) {
    return fail(ErrorKind::not_found, "bundle_entry_missing", fmt::format("The ZIP has no entry \"{}\".", name));
  }
  std::string start;
  UnpackBudget budget;
  const auto read = archive->read(static_cast<std::size_t>(found - entries.begin()), budget,
                                  [&](std::span<const char> bytes) -> Result<void> {
                                    start.append(bytes.data(), std::min(bytes.size(), max_bytes - start.size()));
                                    if (start.size() < max_bytes) return {};
                                    return fail(ErrorKind::conflict, "enough_read", "The rest is not wanted.");
                                  });
  if (!read && start.size() < max_bytes) return fail(read.error());
  return start;
}

}  // namespace infra
