#include "sandbox/client/spawner.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <string>
#include <utility>
#include <vector>

#include "core/error_codes.h"
#include "core/operator_error_codes.h"
#include "sandbox/protocol/spawner_arguments.h"
#include "sandbox/protocol/spawner_protocol.h"
#include "sandbox/system/isolation.h"
#include "sandbox/system/message_socket.h"
#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

constexpr int kMaxSlots = 4096;

Result<void> check_options(SpawnerOptions& options) {
  if (options.slots == 0) options.slots = kDefaultSlots;
  const auto refuse = [](std::string why) { return fail(errors::invalid_spawner_options, std::move(why)); };
  if (options.slots < 1 || options.slots > kMaxSlots) return refuse("the number of sandboxes must be 1 to 4096");
  if (options.base_uid < 1000) return refuse("the sandboxes' first uid must be 1000 or more");
  for (auto* folder : {&options.versions_root, &options.runners}) {
    if (!folder->is_absolute()) return refuse("the folder " + folder->string() + " must be an absolute path");
    std::error_code error;
    *folder = std::filesystem::canonical(*folder, error);
    if (error) return refuse("the folder " + folder->string() + " can't be used: " + error.message());
  }
  // Not made canonical: an operator may change versions by a link.
  if (!options.python_packages.empty() && !options.python_packages.is_absolute())
    return refuse("the folder " + options.python_packages.string() + " must be an absolute path");
  return {};
}

// In the forked process. Comes back only if it could not be executed.
void become_spawner(const std::filesystem::path& program, const std::vector<std::string>& options, int socket) {
  if (socket != kSpawnerSocketFd) {
    ::dup2(socket, kSpawnerSocketFd);
  } else {
    ::fcntl(socket, F_SETFD, 0);
  }
  std::vector<char*> arguments{const_cast<char*>(program.c_str())};
  for (const auto& option : options) arguments.push_back(const_cast<char*>(option.c_str()));
  arguments.push_back(nullptr);
  char* no_environment = nullptr;
  ::execve(program.c_str(), arguments.data(), &no_environment);
  SpawnerEvent failed{.kind = SpawnerEventKind::start_failed};
  put_text(failed.text, system_failure("executing " + program.string()).error().message);
  send_message(kSpawnerSocketFd, failed);
}

// Forks it, and waits for its first words.
Result<SpawnerHandle> start(const SpawnerOptions& options) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return system_failure("socketpair");
  SpawnerHandle handle{
      .socket = UniqueFd(ends[0]), .pid = -1, .slots = options.slots, .engine_hosts = options.egress.block_hosts};
  UniqueFd theirs(ends[1]);
  const auto arguments = to_arguments(options);
  handle.pid = ::fork();
  if (handle.pid < 0) return system_failure("forking the spawner");
  if (handle.pid == 0) {
    become_spawner(options.program, arguments, theirs.get());
    ::_exit(127);
  }
  theirs.reset();
  SpawnerEvent first{};
  if (receive_message(handle.socket.get(), first) == Received::message && first.kind == SpawnerEventKind::ready)
    return handle;
  ::waitpid(handle.pid, nullptr, 0);
  const std::string_view why = get_text(first.text);
  return fail(errors::sandbox_failed,
              "the spawner did not start: " + (why.empty() ? std::string("it ended at once") : std::string(why)));
}

}  // namespace

Result<SpawnerHandle> start_spawner(SpawnerOptions options) {
  if (auto checked = check_options(options); !checked) return fail(checked.error());
  if (auto possible = check_isolation(); !possible) return fail(possible.error());
  return start(options);
}

Result<SpawnerHandle> start_file_opener(std::filesystem::path program, std::vector<std::filesystem::path> files) {
  return start({.program = std::move(program), .files = std::move(files), .only_files = true});
}

}  // namespace infra::sandbox
