#include "main/data_folders.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "core/operator_error_codes.h"
#include "main/worker_host.h"

namespace infra {
namespace {

namespace fs = std::filesystem;
using sandbox::Identity;

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;

// What Infra makes in its data folder, on one machine and in a fleet. SQLite's files begin with the database's name.
constexpr auto kOwnNames = std::to_array<std::string_view>(
    {"lock", "api-key", "api-key.part", "secrets-key", "secrets-key.part", "versions", "code", "objects", "tmp",
     "staging", "bundles", "instances", "trash", "retention-clock"});
constexpr std::string_view kDatabase = "infra.db";

bool is_own(std::string_view name) {
  return name.starts_with(kDatabase) || std::ranges::find(kOwnNames, name) != kOwnNames.end();
}

std::unexpected<Error> unwritable(std::string sentence) {
  return fail(errors::data_folder_unwritable, std::move(sentence));
}

std::unexpected<Error> not_made(const fs::path& folder, int error) {
  return unwritable(fmt::format("The data folder {} can't be made: {}. Choose another with INFRA_DATA_DIR.",
                                folder.string(), std::system_category().message(error)));
}

std::unexpected<Error> not_given(const fs::path& path, const Identity& owner, int error) {
  return unwritable(
      fmt::format("{} can't be given to uid {}, which infra becomes: {}. Choose another folder with "
                  "INFRA_DATA_DIR, or `--user root` where files have no owners.",
                  path.string(), owner.uid, std::system_category().message(error)));
}

std::unexpected<Error> of_another(const fs::path& path, uid_t uid, const Identity& owner, const fs::path& data) {
  return unwritable(
      fmt::format("{0} belongs to uid {1}, and infra becomes uid {2}. If all that is in {4} is Infra's, give it over "
                  "with `chown -R {2}:{3} {4}`; or choose another folder with INFRA_DATA_DIR.",
                  path.string(), uid, owner.uid, owner.gid, data.string()));
}

// The names in a folder, without "." and "..", until `visit` says no.
void each_entry(int folder, const auto& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(::openat(folder, ".", kFolder)), &::closedir);
  while (const dirent* entry = entries ? ::readdir(entries.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && !visit(entry->d_name)) return;
  }
}

// A file system's root is as good as empty.
bool is_empty(int folder) {
  bool empty = true;
  each_entry(folder, [&](const char* name) { return empty = name == std::string_view("lost+found"); });
  return empty;
}

bool was_used(int folder) {
  return ::faccessat(folder, "lock", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

// Gives one thing after another, each by its descriptor: what is looked at is what is given.
class Gift {
 public:
  Gift(const fs::path& data, const Identity& owner) : data_(data), owner_(owner), giver_(::geteuid()) {}

  // What Infra makes in the data folder. The folder itself comes last: what is broken off half-way is begun again.
  Result<void> give_data(int folder) {
    Result<void> given;
    each_entry(folder, [&](const char* name) {
      if (is_own(name)) given = give_entry(folder, name, data_ / name);
      return given.has_value();
    });
    if (given && ::fchown(folder, owner_.uid, owner_.gid) != 0) return not_given(data_, owner_, errno);
    return given;
  }

  Result<void> give_entry(int folder, const char* name, const fs::path& path) {
    const Descriptor entry(::openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info{};
    if (!entry || ::fstat(entry.get(), &info) != 0) return not_given(path, owner_, errno);
    if (info.st_uid == owner_.uid) return {};  // and all in it, as a folder is given after that
    if (info.st_uid != giver_) return of_another(path, info.st_uid, owner_, data_);
    if (S_ISREG(info.st_mode) && info.st_nlink > 1) {
      return unwritable(
          fmt::format("{} has another name somewhere (a hard link), so it is not given to uid {}. Copy "
                      "it in its place, or choose another folder with INFRA_DATA_DIR.",
                      path.string(), owner_.uid));
    }
    if (S_ISDIR(info.st_mode)) {
      if (auto given = give_inside(entry.get(), path); !given) return given;
    }
    if (::fchownat(entry.get(), "", owner_.uid, owner_.gid, AT_EMPTY_PATH) != 0) return not_given(path, owner_, errno);
    return {};
  }

 private:
  Result<void> give_inside(int folder, const fs::path& path) {
    Result<void> given;
    each_entry(folder, [&](const char* name) {
      given = give_entry(folder, name, path / name);
      return given.has_value();
    });
    return given;
  }

  const fs::path& data_;
  const Identity& owner_;
  const uid_t giver_;
};

// As it is, or not at all if a link is in it.
Descriptor open_without_links(const fs::path& path) {
  open_how how{};
  how.flags = kFolder;
  how.resolve = RESOLVE_NO_SYMLINKS;
  return Descriptor(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
}

// In the owner's folder: what is another's there stays so.
Result<void> check_own(int folder, const fs::path& data, const Identity& owner) {
  Result<void> checked;
  each_entry(folder, [&](const char* name) {
    struct stat info{};
    if (is_own(name) && ::fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_uid != owner.uid)
      checked = of_another(data / name, info.st_uid, owner, data);
    return checked.has_value();
  });
  return checked;
}

Result<void> give_data(int folder, const fs::path& path, const Identity& owner, bool behind_a_link) {
  struct stat info{};
  if (::fstat(folder, &info) != 0) return not_given(path, owner, errno);
  if (info.st_uid == owner.uid) return check_own(folder, path, owner);
  if (info.st_uid != ::geteuid() || (info.st_mode & kOthersWrite) != 0) {
    return unwritable(
        fmt::format("The data folder {0} belongs to uid {1}{2}, and infra becomes uid {3}. If it is Infra's alone, "
                    "give it over with `chown -R {3}:{4} {0} && chmod 700 {0}`; or choose another with INFRA_DATA_DIR.",
                    path.string(), info.st_uid,
                    (info.st_mode & kOthersWrite) != 0 ? ", and others may write in it" : "", owner.uid, owner.gid));
  }
  if (!is_empty(folder) && !was_used(folder)) {
    return unwritable(
        fmt::format("The data folder {} has other things in it than Infra's, so it is not given to uid {}, which infra "
                    "becomes. Choose a new or an empty one with INFRA_DATA_DIR.",
                    path.string(), owner.uid));
  }
  if (behind_a_link) {
    std::error_code ignored;
    return unwritable(
        fmt::format("A symbolic link leads to the data folder {}, so it is not given to uid {}, which infra becomes. "
                    "Name the folder itself with INFRA_DATA_DIR: {}.",
                    path.string(), owner.uid, fs::canonical(path, ignored).string()));
  }
  return Gift(path, owner).give_data(folder);
}

// Below a folder that its owner writes in: he may have put a link to anything in its place.
Result<void> make_versions(int data, const fs::path& path, const std::optional<Identity>& owner) {
  const std::string name = path.filename();
  const bool made = ::mkdirat(data, name.c_str(), 0777) == 0;
  if (!made && errno != EEXIST) return not_made(path, errno);
  const Descriptor folder(::openat(data, name.c_str(), kFolder | O_NOFOLLOW));
  if (!folder) return not_made(path, errno);
  if (!made || !owner) return {};
  // Else he has put another folder of root's in the place of the new one.
  if (!is_empty(folder.get())) return not_given(path, *owner, ENOTEMPTY);
  if (::fchown(folder.get(), owner->uid, owner->gid) != 0) return not_given(path, *owner, errno);
  return {};
}

}  // namespace

Result<Descriptor> make_data_folders(const fs::path& data, const std::optional<Identity>& owner) {
  std::error_code error;
  const bool is_new = fs::create_directories(data, error);
  Descriptor folder = open_without_links(data);
  const bool behind_a_link = !folder && errno == ELOOP;
  if (behind_a_link) folder = Descriptor(::open(data.c_str(), kFolder));
  if (!folder) return not_made(data, error ? error.value() : errno);
  if (is_new && ::fchmod(folder.get(), 0700) != 0) return not_made(data, errno);
  if (owner) {
    if (auto given = give_data(folder.get(), data, *owner, behind_a_link); !given) return fail(given.error());
  }
  if (auto made = make_versions(folder.get(), versions_folder(data), owner); !made) return fail(made.error());
  return folder;
}

}  // namespace infra
