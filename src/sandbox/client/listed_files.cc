#include "sandbox/client/listed_files.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sandbox/client/spawner_connection.h"

namespace infra::sandbox {

ListedFiles::ListedFiles(std::shared_ptr<SpawnerConnection> connection, std::vector<std::string> names)
    : connection_(std::move(connection)), names_(std::move(names)) {}

int ListedFiles::open(const std::string& path) const {
  const auto found = std::ranges::find(names_, path);
  if (found == names_.end()) return -ENOENT;
  SpawnerRequest request{.op = SpawnerOp::open_file};
  request.file = static_cast<std::uint32_t>(found - names_.begin());
  auto reply = connection_->ask(request);
  if (!reply) return -EPIPE;
  if (reply->event.kind != SpawnerEventKind::file_opened) return -reply->event.exit_code;
  return reply->fds[0].release();
}

}  // namespace infra::sandbox
