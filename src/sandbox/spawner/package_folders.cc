#include "sandbox/spawner/package_folders.h"

#include <filesystem>

namespace infra::sandbox {

std::vector<std::string> package_folders() {
  namespace fs = std::filesystem;
  std::vector<std::string> folders;
  for (const char* prefix : {"/usr/lib", "/usr/local/lib"}) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(prefix, error)) {
      if (!entry.path().filename().string().starts_with("python3")) continue;
      for (const char* name : {"dist-packages", "site-packages"}) {
        const auto folder = entry.path() / name;
        if (fs::is_directory(folder, error)) folders.push_back(folder.string());
      }
    }
  }
  return folders;
}

}  // namespace infra::sandbox
