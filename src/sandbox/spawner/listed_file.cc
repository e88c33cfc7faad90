#include "sandbox/spawner/listed_file.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

#include "sandbox/system/message_socket.h"
#include "sandbox/system/privileges.h"

namespace infra::sandbox {
namespace {

// Regular files alone: a pipe would hold the spawner up, and a device may do anything.
UniqueFd open_listed(const SpawnerOptions& options, std::uint32_t number) {
  if (number >= options.files.size()) return errno = EINVAL, UniqueFd();
  UniqueFd file(::open(options.files[number].c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat info{};
  if (!file.valid() || ::fstat(file.get(), &info) != 0) return UniqueFd();
  if (!S_ISREG(info.st_mode)) return errno = EINVAL, UniqueFd();
  return file;
}

}  // namespace

bool answer_open_file(const SpawnerOptions& options, const SpawnerRequest& request, int socket) {
  const UniqueFd file = open_listed(options, request.file);
  SpawnerEvent answer{.kind = SpawnerEventKind::file_opened, .ai_port = 0, .id = request.id};
  if (file.valid()) return send_message(socket, answer, std::array{file.get()});
  answer.kind = SpawnerEventKind::file_refused;
  answer.exit_code = errno;
  return send_message(socket, answer);
}

Result<void> serve_files(const SpawnerOptions& options, int socket) {
  if (auto kept = keep_one_capability(CAP_DAC_READ_SEARCH); !kept) return kept;
  bool open = send_message(socket, SpawnerEvent{.kind = SpawnerEventKind::ready});
  SpawnerRequest request;
  while (open && receive_message(socket, request) == Received::message) {
    if (request.op == SpawnerOp::open_file) open = answer_open_file(options, request, socket);
  }
  return {};
}

}  // namespace infra::sandbox
