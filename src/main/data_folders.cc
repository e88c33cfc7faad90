#include "main/data_folders.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "adapters/system/posix_file.h"
#include "core/operator_error_codes.h"
#include "main/worker_host.h"

namespace infra {
namespace {

namespace fs = std::filesystem;

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;

std::unexpected<Error> unwritable(std::string sentence) {
  return fail(errors::data_folder_unwritable, std::move(sentence));
}

std::unexpected<Error> not_made(const fs::path& folder, int error) {
  return unwritable(fmt::format("The data folder {} can't be made: {}. Choose another with INFRA_DATA_DIR.",
                                folder.string(), std::system_category().message(error)));
}

std::unexpected<Error> not_given(const fs::path& folder, int error) {
  return unwritable(fmt::format("The data folder {} can't be given to the user that --user names: {}.", folder.string(),
                                std::system_category().message(error)));
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

// No link is followed. The folder itself comes last: what is broken off half-way is begun again.
bool give_all(int folder, const sandbox::Identity& owner) {
  bool given = true;
  each_entry(folder, [&](const char* name) {
    const Descriptor inner(::openat(folder, name, kFolder | O_NOFOLLOW));
    given =
        inner ? give_all(inner.get(), owner) : ::fchownat(folder, name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) == 0;
    return given;
  });
  return given && ::fchown(folder, owner.uid, owner.gid) == 0;
}

Result<void> give_data(int folder, const fs::path& path, const sandbox::Identity& owner) {
  struct stat info{};
  if (::fstat(folder, &info) != 0) return not_given(path, errno);
  if (info.st_uid == owner.uid) return {};
  if (info.st_uid != ::geteuid() || (info.st_mode & kOthersWrite) != 0) {
    return unwritable(
        fmt::format("The data folder {0} belongs to uid {1}{2}, and infra becomes uid {3} (--user). If it is Infra's "
                    "alone, give it over with `chown -R {3}:{4} {0} && chmod 700 {0}`; or choose another with "
                    "INFRA_DATA_DIR.",
                    path.string(), info.st_uid,
                    (info.st_mode & kOthersWrite) != 0 ? ", and others may write in it" : "", owner.uid, owner.gid));
  }
  if (!is_empty(folder) && !was_used(folder)) {
    return unwritable(
        fmt::format("The data folder {} has other things in it than Infra's, so it is not given to uid {} (--user). "
                    "Choose a new or an empty one with INFRA_DATA_DIR.",
                    path.string(), owner.uid));
  }
  if (!give_all(folder, owner)) return not_given(path, errno);
  return {};
}

// Below a folder that its owner writes in: he may have put a link to anything in its place.
Result<void> give_versions(int data, const fs::path& path, const sandbox::Identity& owner) {
  const Descriptor folder(::openat(data, path.filename().c_str(), kFolder | O_NOFOLLOW));
  if (!folder || ::fchown(folder.get(), owner.uid, owner.gid) != 0) return not_given(path, errno);
  return {};
}

}  // namespace

Result<void> make_data_folders(const fs::path& data, const std::optional<sandbox::Identity>& owner) {
  std::error_code error;
  const bool is_new = fs::create_directories(data, error);
  const Descriptor folder(error ? -1 : ::open(data.c_str(), kFolder));
  if (!folder) return not_made(data, error ? error.value() : errno);
  if (is_new && ::fchmod(folder.get(), 0700) != 0) return not_made(data, errno);
  if (owner) {
    if (auto given = give_data(folder.get(), data, *owner); !given) return given;
  }
  const fs::path versions = versions_folder(data);
  if (::mkdirat(folder.get(), versions.filename().c_str(), 0777) != 0 && errno != EEXIST) return not_made(data, errno);
  return owner ? give_versions(folder.get(), versions, *owner) : Result<void>{};
}

}  // namespace infra
