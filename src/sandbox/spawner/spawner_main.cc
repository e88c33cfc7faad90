// The program infra-spawner, which start_spawner() executes: small and with libraries of its own in it, because every
// sandbox's init is a copy of it. It is not started by hand.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "core/operator_error_codes.h"
#include "sandbox/inside/seccomp_filter.h"
#include "sandbox/protocol/spawner_arguments.h"
#include "sandbox/protocol/spawner_protocol.h"
#include "sandbox/spawner/cgroup_slots.h"
#include "sandbox/spawner/listed_file.h"
#include "sandbox/spawner/spawner_process.h"
#include "sandbox/system/message_socket.h"
#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

// The spawner keeps nothing of the program's but its standard streams and the socket. Signals meant for the program
// (Ctrl-C, a service manager's SIGTERM to the group) must not end what still runs while it drains: only the socket's
// end does.
void detach_from_program() {
  ::setsid();
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2}) ::signal(signal, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::fcntl(kSpawnerSocketFd, F_SETFD, FD_CLOEXEC);
  ::close_range(kSpawnerSocketFd + 1, ~0U, 0);
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ::dup2(null.get(), STDIN_FILENO);
  if (::chdir("/") != 0) return;
}

// One spawner a versions root: a second program would sweep the sandboxes of the first. One that was killed may still
// be cleaning up, so this waits for a moment.
Result<UniqueFd> lock_instance(const std::filesystem::path& versions_root) {
  UniqueFd folder(::open(versions_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return system_failure("opening " + versions_root.string());
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  while (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
    if (std::chrono::steady_clock::now() > give_up) {
      return fail(errors::already_running, "another infra runs on " + versions_root.string() + "; stop it first");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return folder;
}

Result<void> serve(std::span<const char* const> arguments) {
  auto options = parse_arguments(arguments);
  if (!options) return fail(options.error());
  if (options->only_files) return serve_files(*options, kSpawnerSocketFd);
  auto lock = lock_instance(options->versions_root);
  if (!lock) return fail(lock.error());
  auto cgroups = open_cgroup_slots(instance_name(options->versions_root));
  if (!cgroups) return fail(cgroups.error());
  if (auto swept = (*cgroups)->sweep(); !swept) return swept;
  auto runner = compile_seccomp_filter();
  if (!runner) return fail(runner.error());
  auto init = compile_init_filter();
  if (!init) return fail(init.error());
  const SeccompPrograms seccomp{.runner = std::move(*runner), .init = std::move(*init)};
  if (!send_message(kSpawnerSocketFd, SpawnerEvent{.kind = SpawnerEventKind::ready})) return {};
  SpawnerProcess process(*options, kSpawnerSocketFd, **cgroups, seccomp);
  process.run();
  return {};
}

int run_spawner(std::span<const char* const> arguments) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(kSpawnerSocketFd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
    std::fputs("infra-spawner: infra starts this program; run infra instead\n", stderr);
    return 2;
  }
  detach_from_program();
  auto served = serve(arguments);
  if (served) return 0;
  SpawnerEvent failed{.kind = SpawnerEventKind::start_failed};
  put_text(failed.text, served.error().message);
  send_message(kSpawnerSocketFd, failed);
  return 1;
}

}  // namespace
}  // namespace infra::sandbox

int main(int count, char** arguments) {
  ::_exit(infra::sandbox::run_spawner(std::span(arguments, static_cast<std::size_t>(count)).subspan(1)));
}
