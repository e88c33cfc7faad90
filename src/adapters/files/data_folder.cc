#include "adapters/files/data_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "core/operator_error_codes.h"

namespace infra {
namespace {

std::string user_name(uid_t uid) {
  std::array<char, 4096> buffer;
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return fmt::format("uid {}", uid);
  }
  return fmt::format("{} (uid {})", found->pw_name, uid);
}

// The nearest folder above that exists is the one whose owner must act.
std::filesystem::path nearest_existing(std::filesystem::path path) {
  struct stat info{};
  while (::stat(path.c_str(), &info) != 0 && path.has_parent_path() && path != path.parent_path())
    path = path.parent_path();
  return path;
}

std::unexpected<Error> unwritable(const std::filesystem::path& path, int error_number) {
  const auto existing = nearest_existing(path);
  struct stat info{};
  const std::string owner = ::stat(existing.c_str(), &info) == 0 ? user_name(info.st_uid) : "nobody known";
  return fail(
      errors::data_folder_unwritable,
      fmt::format("The data folder {} can't be used: {}. {} belongs to {}, and infra runs as {}; give the folder to "
                  "that user, or set INFRA_DATA_DIR to a folder that it can write.",
                  path.string(), std::system_category().message(error_number), existing.string(), owner,
                  user_name(::geteuid())));
}

std::unexpected<Error> in_use(const std::filesystem::path& path, int lock) {
  std::array<char, 32> text{};
  const ssize_t n = ::pread(lock, text.data(), text.size() - 1, 0);
  std::string pid(text.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  while (!pid.empty() && pid.back() == '\n') pid.pop_back();
  return fail(errors::data_folder_in_use,
              fmt::format("Another infra{} uses the data folder {}; stop it, or set INFRA_DATA_DIR to another folder.",
                          pid.empty() ? "" : fmt::format(" (pid {})", pid), path.string()));
}

}  // namespace

Result<DataFolder> DataFolder::open(const std::filesystem::path& wanted) {
  std::error_code error;
  const auto path = std::filesystem::absolute(wanted, error);
  if (error) return unwritable(wanted, error.value());
  const bool made = std::filesystem::create_directories(path, error);
  if (error) return unwritable(path, error.value());
  if (made && ::chmod(path.c_str(), 0700) != 0) return unwritable(path, errno);
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) return unwritable(path, errno);

  Descriptor lock(::open((path / "lock").c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!lock) return unwritable(path / "lock", errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return in_use(path, lock.get());
    return unwritable(path / "lock", errno);
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock.get(), 0) != 0) return disk_error("writing the lock", errno);
  if (auto written = write_all(lock.get(), pid); !written) return fail(written.error());
  return DataFolder(path, std::move(lock));
}

}  // namespace infra
