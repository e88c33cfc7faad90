#include "sandbox/system/descriptors.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <limits>

#include "core/system_errors.h"

namespace infra::sandbox {

std::size_t descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return std::numeric_limits<int>::max();
  return limit.rlim_cur;
}

std::size_t open_descriptors() {
  constexpr const char* kFolder = "/proc/self/fd";
  struct stat info{};
  if (::stat(kFolder, &info) == 0 && info.st_size > 0) return static_cast<std::size_t>(info.st_size);
  DIR* const folder = ::opendir(kFolder);
  if (folder == nullptr) return is_out_of_descriptors(errno) ? descriptor_limit() : 0;
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(folder)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(folder);
  return count - 1;  // the folder's own
}

}  // namespace infra::sandbox
