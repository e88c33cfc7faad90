#include "sandbox/spawner/package_folders.h"

#include <filesystem>

namespace infra::sandbox {

std::vector<std::string> package_folders() {
  namespace fs = std::filesystem;
  std::vector<std::string> folders;
  for (const char* prefix : {"/usr/lib", "/usr/local/lib"}) {
    std::error_code failed;
    for (fs::directory_iterator entry(prefix, failed), end; !failed && entry != end; entry.increment(failed)) {
      if (!entry->path().filename().string().starts_with("python3")) continue;
      for (const char* name : {"dist-packages", "site-packages"}) {
        const auto folder = entry->path() / name;
        std::error_code ignored;
        if (fs::is_directory(folder, ignored)) folders.push_back(folder.string());
      }
    }
  }
  return folders;
}

}  // namespace infra::sandbox
