#include "sandbox/protocol/output_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include "core/limits.h"

namespace infra::sandbox {
namespace {

constexpr std::size_t kMaxEntries = 2000;  // more are no output files, but an attempt to keep the platform busy

// Calls `take` with each name until it says no. A descriptor that is open already is read whatever its folder's mode
// has become.
template <typename Take>
bool read_folder(int folder, Take take) {
  alignas(dirent64) std::array<char, 4096> buffer;
  if (::lseek(folder, 0, SEEK_SET) != 0) return false;
  while (true) {
    const ssize_t size = ::getdents64(folder, buffer.data(), buffer.size());
    if (size <= 0) return size == 0;
    for (ssize_t at = 0; at < size;) {
      const char* entry = buffer.data() + at;
      unsigned short length = 0;
      std::memcpy(&length, entry + offsetof(dirent64, d_reclen), sizeof length);
      at += length;
      const std::string_view name = entry + offsetof(dirent64, d_name);
      if (name != "." && name != ".." && !take(name)) return true;
    }
  }
}

class Walk {
 public:
  explicit Walk(const std::function<void(OutputEntry)>& take) : take_(take) {}

  bool run(int folder) {
    visit(folder, "", 1);
    return emptied_;
  }

 private:
  void visit(int folder, const std::string& path, int depth) {
    std::vector<std::string> names;
    bool whole = true;
    const bool read = read_folder(folder, [&](std::string_view name) {
      whole = seen_ < kMaxEntries;
      if (whole) {
        ++seen_;
        names.emplace_back(name);
      }
      return whole;
    });
    std::ranges::sort(names);
    for (const auto& name : names) take_one(folder, name, path + name, depth);
    if (!read) leave_out(path, LeftOut::unreadable);
    if (!whole) leave_out(path, LeftOut::too_many_entries);
    emptied_ = emptied_ && read && whole;
  }

  void take_one(int folder, const std::string& name, const std::string& path, int depth) {
    struct stat info{};
    const bool known = ::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (known && S_ISDIR(info.st_mode)) {
      enter(folder, name, path, depth);
      if (::unlinkat(folder, name.c_str(), AT_REMOVEDIR) != 0) emptied_ = false;
      return;
    }
    UniqueFd file;
    const LeftOut why = known ? open_file(folder, name, path, info, file) : LeftOut::unreadable;
    if (why == LeftOut::no) {
      take_({.name = path, .left_out = why, .file = std::move(file)});
    } else {
      leave_out(path, why);
    }
    if (::unlinkat(folder, name.c_str(), 0) != 0) emptied_ = false;
  }

  void enter(int folder, const std::string& name, const std::string& path, int depth) {
    if (depth >= limits::kMaxOutputDepth) return leave_out(path, LeftOut::too_deep);
    const UniqueFd inner(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!inner.valid()) return leave_out(path, LeftOut::unreadable);
    visit(inner.get(), path + "/", depth + 1);
  }

  // Nothing but a regular file is opened; O_NONBLOCK for one that becomes a pipe in between.
  LeftOut open_file(int folder, const std::string& name, const std::string& path, struct stat info, UniqueFd& file) {
    if (!S_ISREG(info.st_mode)) return LeftOut::not_regular;
    if (path.size() > limits::kMaxOutputNameBytes) return LeftOut::bad_name;
    if (static_cast<std::uint64_t>(info.st_size) > limits::kMaxOutputFileBytes) return LeftOut::too_large;
    if (kept_ >= limits::kMaxOutputFiles) return LeftOut::too_many;
    file.reset(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file.valid() || ::fstat(file.get(), &info) != 0) return LeftOut::unreadable;
    if (!S_ISREG(info.st_mode)) return LeftOut::not_regular;
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (total_ + size > limits::kMaxOutputFilesBytes) return LeftOut::over_total;
    total_ += size;
    ++kept_;
    return LeftOut::no;
  }

  void leave_out(const std::string& path, LeftOut why) {
    take_({.name = path.substr(0, limits::kMaxOutputNameBytes), .left_out = why, .file = UniqueFd()});
  }

  const std::function<void(OutputEntry)>& take_;
  std::size_t seen_ = 0;
  std::size_t kept_ = 0;
  std::uint64_t total_ = 0;
  bool emptied_ = true;
};

}  // namespace

bool has_entries(int folder) {
  bool any = false;
  const bool read = read_folder(folder, [&any](std::string_view) {
    any = true;
    return false;
  });
  return any || !read;
}

bool take_entries(int folder, const std::function<void(OutputEntry)>& take) {
  return Walk(take).run(folder);
}

}  // namespace infra::sandbox
