#include "adapters/libzip/zip_bundle_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ranges>
#include <string>
#include <string_view>
#include <system_error>

#include "adapters/libzip/descriptor.h"
#include "adapters/libzip/zip_archive.h"
#include "core/bundle_path.h"
#include "core/bundle_tree.h"
#include "core/error_codes.h"
#include "core/operator_error_codes.h"
#include "core/system_errors.h"

namespace infra {
namespace {

constexpr mode_t kFolderMode = 0755;
constexpr mode_t kFileMode = 0644;
constexpr mode_t kExecutableMode = 0755;

std::unexpected<Error> disk_error(std::string_view what) {
  const int code = errno;
  return disk_failure(code, errors::bundle_not_unpacked,
                      fmt::format("Unpacking the bundle failed: can't {}: {}.", what, std::strerror(code)));
}

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
    if (path_.empty()) return;
    fd_ = Descriptor();       // one that removing may lack
    std::error_code ignored;  // the rest is harmless
    if (::rmdir(path_.c_str()) != 0) std::filesystem::remove_all(path_, ignored);
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

// BundleTree has refused these already; this keeps a mistake there from becoming a file outside the folder.
Result<void> check_segment(std::string_view part) {
  if (!part.empty() && part != "." && part != "..") return {};
  return fail(errors::invalid_bundle_path, "A ZIP entry has a path that leaves the bundle.");
}

// Opens folders below one that was made for it, following no link. The last one stays open, since the next path mostly
// lies there too.
class Folders {
 public:
  explicit Folders(int root) : root_(root) {}

  // Of a folder that is there already.
  Result<int> open(std::string_view path) {
    if (path.empty()) return root_;
    if (folder_ && path == path_) return folder_.get();
    Descriptor folder;
    for (std::string_view rest = path; !rest.empty();) {
      const std::size_t slash = rest.find('/');
      const std::string part(rest.substr(0, slash));
      rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
      if (auto plain = check_segment(part); !plain) return fail(plain.error());
      Descriptor next(
          ::openat(folder ? folder.get() : root_, part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!next) return disk_error("open a folder");
      folder = std::move(next);
    }
    folder_ = std::move(folder);
    path_ = path;
    return folder_.get();
  }

 private:
  int root_;
  Descriptor folder_;
  std::string path_;
};

Result<void> write_all(int fd, std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return disk_error("write a file");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

class Unpacking {
 public:
  Unpacking(const ZipArchive& archive, int root) : archive_(archive), folders_(root) {}

  // Links come last, when nothing is written any more.
  Result<void> run(const BundleTree& tree) {
    for (const auto& [path, node] : tree.nodes()) {
      if (node.type == EntryType::symlink) continue;
      if (auto ok = make(path, node); !ok) return ok;
    }
    for (const auto& [path, node] : tree.nodes()) {
      if (node.type != EntryType::symlink) continue;
      if (auto ok = make(path, node); !ok) return ok;
    }
    return {};
  }

 private:
  Result<void> make(std::string_view path, const BundleTree::Node& node) {
    const auto folder = folders_.open(folder_of(path));
    if (!folder) return fail(folder.error());
    const std::string name(path.substr(path.rfind('/') + 1));
    if (auto plain = check_segment(name); !plain) return plain;
    if (node.type == EntryType::symlink) {
      if (::symlinkat(node.target.c_str(), *folder, name.c_str()) != 0) return disk_error("make a link");
      return {};
    }
    if (node.type == EntryType::directory) {
      // The mode is set whatever the umask is, as with files.
      if (::mkdirat(*folder, name.c_str(), kFolderMode) != 0 ||
          ::fchmodat(*folder, name.c_str(), kFolderMode, 0) != 0) {
        return disk_error("make a folder");
      }
      return {};
    }
    return make_file(*folder, name, node.entry);
  }

  Result<void> make_file(int folder, const std::string& name, std::size_t entry) {
    constexpr int kNewFile = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const Descriptor file(::openat(folder, name.c_str(), kNewFile, kFileMode));
    if (!file) return disk_error("make a file");
    const auto write = [&](std::span<const char> bytes) { return write_all(file.get(), bytes); };
    if (auto ok = archive_.read(entry, write); !ok) return ok;
    // Nothing of what the ZIP says but the one bit: no setuid, no world-writable files.
    if (::fchmod(file.get(), archive_.is_executable(entry) ? kExecutableMode : kFileMode) != 0) {
      return disk_error("set a mode");
    }
    return {};
  }

  const ZipArchive& archive_;
  Folders folders_;
};

// An archive, and what it unpacks to.
struct Bundle {
  ZipArchive archive;
  BundleTree tree;
};

// By its paths, from the leaves on: a walk takes descriptors, for want of which the unpacking may have failed.
void remove_unpacked(const std::filesystem::path& directory, const BundleTree& tree) {
  for (const auto& [path, node] : std::views::reverse(tree.nodes())) {
    const std::filesystem::path made = directory / path;
    (void)(node.type == EntryType::directory ? ::rmdir(made.c_str()) : ::unlink(made.c_str()));
  }
}

Result<Bundle> open_bundle(const std::filesystem::path& zip) {
  auto archive = ZipArchive::open(zip);
  if (!archive) return fail(archive.error());
  auto tree = BundleTree::of(archive->entries());
  if (!tree) return fail(tree.error());
  return Bundle{.archive = std::move(*archive), .tree = std::move(*tree)};
}

}  // namespace

Result<std::vector<BundleEntry>> ZipBundleReader::list(const std::filesystem::path& zip) const {
  const auto archive = ZipArchive::open(zip);
  if (!archive) return fail(archive.error());
  return archive->entries();
}

Result<void> ZipBundleReader::extract(const std::filesystem::path& zip, const std::filesystem::path& directory) const {
  const auto bundle = open_bundle(zip);
  if (!bundle) return fail(bundle.error());
  auto folder = NewFolder::create(directory);
  if (!folder) return fail(folder.error());
  if (auto ok = Unpacking(bundle->archive, folder->fd()).run(bundle->tree); !ok) {
    remove_unpacked(directory, bundle->tree);
    return ok;
  }
  folder->keep();
  return {};
}

Result<void> ZipBundleReader::verify(const std::filesystem::path& zip) const {
  const auto bundle = open_bundle(zip);
  if (!bundle) return fail(bundle.error());
  const auto drop = [](std::span<const char>) { return Result<void>{}; };
  for (const auto& [_, node] : bundle->tree.nodes()) {
    if (node.type != EntryType::file) continue;  // links were read, a folder's data is ignored
    if (auto ok = bundle->archive.read(node.entry, drop); !ok) return ok;
  }
  return {};
}

Result<std::string> ZipBundleReader::read_start(const std::filesystem::path& zip, std::string_view name,
                                                std::size_t max_bytes) const {
  const auto bundle = open_bundle(zip);
  if (!bundle) return fail(bundle.error());
  const auto file = bundle->tree.file_at(name);
  if (!file) {
    return fail(errors::bundle_entry_missing.as(ErrorKind::not_found),
                fmt::format("The ZIP has no file \"{}\".", name));
  }
  std::string start;
  const auto read =
      bundle->archive.read(bundle->tree.find(*file)->entry, [&](std::span<const char> bytes) -> Result<void> {
        start.append(bytes.data(), std::min(bytes.size(), max_bytes - start.size()));
        if (start.size() < max_bytes) return {};
        return fail(errors::enough_read, "The rest is not wanted.");
      });
  if (!read && start.size() < max_bytes) return fail(read.error());
  return start;
}

}  // namespace infra
