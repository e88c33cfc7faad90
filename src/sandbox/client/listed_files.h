// Files that root alone may read, opened by the spawner from the list that it was started with.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace infra::sandbox {

class SpawnerConnection;

class ListedFiles {
 public:
  // What the files on the spawner's list are called here, in its order.
  ListedFiles(std::shared_ptr<SpawnerConnection> connection, std::vector<std::string> names);

  // A descriptor to read from, which is the caller's, or -errno: ENOENT for one that is not on the list. It waits for
  // the spawner. Any thread.
  [[nodiscard]] int open(const std::string& path) const;

 private:
  std::shared_ptr<SpawnerConnection> connection_;
  const std::vector<std::string> names_;
};

}  // namespace infra::sandbox
