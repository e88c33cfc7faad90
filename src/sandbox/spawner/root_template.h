// The common part of all sandboxes' roots is put together once, in a mount namespace without processes. Each
// sandbox's mounts begin as a copy of it: half as many steps, one file system instead of several, and none of the
// machine's mounts to be copied and taken off again.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

// The spawner's. Nothing in a template can be written, by whomever: its file system itself is read-only.
class RootTemplates {
 public:
  // `packages` is what lies in kPackageFolder (package_folders.h); empty: nothing.
  explicit RootTemplates(std::filesystem::path packages = {}) : packages_(std::move(packages)) {}

  // The mount namespace's descriptor, good until the next call. Its root has `runner` as /runtime and `resolv_conf` in
  // /etc/resolv.conf; /proc, /tmp, /output and /workspace are empty folders; what becomes /dev is in kDevices. Made at
  // first need, and again when a file or folder of the machine that it shows has been replaced since.
  [[nodiscard]] Result<int> get(const std::filesystem::path& runner, const std::string& resolv_conf);

 private:
  using Inode = std::pair<dev_t, ino_t>;
  struct Template {
    std::filesystem::path runner;
    std::string resolv_conf;
    std::vector<Inode> sources;
    UniqueFd mounts;
  };
  std::filesystem::path packages_;
  std::vector<Template> templates_;
};

}  // namespace infra::sandbox
