#include "worker/sandbox/spawner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "worker/sandbox/cgroup_slots.h"
#include "worker/sandbox/isolation.h"
#include "worker/sandbox/message_socket.h"
#include "worker/sandbox/seccomp_filter.h"
#include "worker/sandbox/spawner_process.h"
#include "worker/sandbox/system_error.h"

namespace infra::worker {
namespace {

constexpr int kMaxSlots = 4096;
constexpr int kSocketFd = 3;

Result<void> check_options(SpawnerOptions& options) {
  if (options.slots == 0) options.slots = kDefaultSlots;
  const auto refuse = [](std::string why) {
    return fail(ErrorKind::invalid, "invalid_spawner_options", std::move(why));
  };
  if (options.slots < 1 || options.slots > kMaxSlots) return refuse("the number of sandboxes must be 1 to 4096");
  if (options.base_uid < 1000) return refuse("the sandboxes' first uid must be 1000 or more");
  for (auto* folder : {&options.versions_root, &options.runners}) {
    if (!folder->is_absolute()) return refuse("the folder " + folder->string() + " must be an absolute path");
    std::error_code error;
    *folder = std::filesystem::canonical(*folder, error);
    if (error) return refuse("the folder " + folder->string() + " can't be used: " + error.message());
  }
  return {};
}

// The spawner keeps nothing of the program's but its standard streams and the socket. Signals meant for the program
// (Ctrl-C, a service manager's SIGTERM to the group) must not end what still runs while it drains: only the socket's
// end does.
void detach_from_program(UniqueFd& socket) {
  ::setsid();
  ::prctl(PR_SET_NAME, "infra-spawner", 0, 0, 0);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2}) ::signal(signal, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (socket.get() != kSocketFd) {
    ::dup3(socket.get(), kSocketFd, O_CLOEXEC);
    (void)socket.release();
    socket.reset(kSocketFd);
  }
  ::close_range(kSocketFd + 1, ~0U, 0);
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
      return fail(ErrorKind::unavailable, "already_running",
                  "another infra runs on " + versions_root.string() + "; stop it first");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return folder;
}

Result<void> serve(const SpawnerOptions& options, int socket) {
  auto lock = lock_instance(options.versions_root);
  if (!lock) return fail(lock.error());
  auto cgroups = open_cgroup_slots(instance_name(options.versions_root));
  if (!cgroups) return fail(cgroups.error());
  if (auto swept = (*cgroups)->sweep(); !swept) return swept;
  auto seccomp = compile_seccomp_filter();
  if (!seccomp) return fail(seccomp.error());
  SpawnerEvent ready{.kind = SpawnerEventKind::ready};
  if (!send_message(socket, ready)) return {};
  SpawnerProcess process(options, socket, **cgroups, *seccomp);
  process.run();
  return {};
}

[[noreturn]] void spawner_main(const SpawnerOptions& options, UniqueFd socket) {
  detach_from_program(socket);
  if (auto served = serve(options, socket.get()); !served) {
    SpawnerEvent failed{.kind = SpawnerEventKind::start_failed};
    put_text(failed.text, served.error().message);
    send_message(socket.get(), failed);
    ::_exit(1);
  }
  ::_exit(0);
}

}  // namespace

Result<SpawnerHandle> start_spawner(SpawnerOptions options) {
  if (auto checked = check_options(options); !checked) return fail(checked.error());
  if (auto possible = check_isolation(); !possible) return fail(possible.error());
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return system_failure("socketpair");
  SpawnerHandle handle{
      .socket = UniqueFd(ends[0]), .pid = -1, .slots = options.slots, .engine_hosts = options.egress.block_hosts};
  UniqueFd theirs(ends[1]);
  handle.pid = ::fork();
  if (handle.pid < 0) return system_failure("forking the spawner");
  if (handle.pid == 0) {
    handle.socket.reset();
    spawner_main(options, std::move(theirs));
  }
  theirs.reset();
  SpawnerEvent first{};
  if (receive_message(handle.socket.get(), first) == Received::message && first.kind == SpawnerEventKind::ready)
    return handle;
  ::waitpid(handle.pid, nullptr, 0);
  const std::string_view why = get_text(first.text);
  return fail(ErrorKind::unavailable, "sandbox_failed",
              "the spawner did not start: " + (why.empty() ? std::string("it ended at once") : std::string(why)));
}

}  // namespace infra::worker
