#include "worker/sandbox/sandbox_init.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "worker/sandbox/cgroup_files.h"
#include "worker/sandbox/message_socket.h"
#include "worker/sandbox/privileges.h"
#include "worker/sandbox/raw_fork.h"
#include "worker/sandbox/runner_command.h"
#include "worker/sandbox/sandbox_root.h"
#include "worker/sandbox/system_error.h"
#include "worker/sandbox/user_namespace.h"

namespace infra::worker {
namespace {

constexpr uid_t kInsideUid = 1000;
constexpr int kReportFd = 3;
constexpr int kListenBacklog = 64;

// The runner's ends, which become its descriptors 0 to 3.
struct RunnerStreams {
  UniqueFd control, out, err;
};

struct Parked {
  PreparedRoot root;
  RunnerStreams streams;
  UniqueFd user_namespace;
};

// What was open in the spawner (other sandboxes' sockets among it) must not live on in here.
void drop_inherited(int report) {
  if (report != kReportFd) ::dup3(report, kReportFd, O_CLOEXEC);
  ::close_range(kReportFd + 1, ~0U, 0);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
  ::setsid();
}

// Dies with the spawner. A change of credentials clears the setting (prctl(2)), so this is called after each.
bool bind_life_to_spawner() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  pollfd socket{kReportFd, 0, 0};  // it may have died before; then its end of the socket is closed
  return ::poll(&socket, 1, 0) == 0;
}

Result<void> raise_loopback() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (!socket.valid() || ::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0)
    return system_failure("raising the loopback interface");
  return {};
}

Result<std::pair<UniqueFd, std::uint16_t>> listen_for_ai() {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!socket.valid() || ::bind(socket.get(), generic, size) != 0 || ::listen(socket.get(), kListenBacklog) != 0 ||
      ::getsockname(socket.get(), generic, &size) != 0) {
    return system_failure("opening the AI endpoint");
  }
  return std::pair(std::move(socket), ntohs(address.sin_port));
}

// Makes the streams, keeps the runner's ends and reports the worker's.
Result<RunnerStreams> hand_out_streams(UniqueFd listener, std::uint16_t port, uid_t uid) {
  int control[2] = {-1, -1};
  int out[2] = {-1, -1};
  int err[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0) return system_failure("socketpair");
  RunnerStreams inner{.control = UniqueFd(control[1]), .out = {}, .err = {}};
  const UniqueFd outer_control(control[0]);
  if (::pipe2(out, O_CLOEXEC) != 0) return system_failure("pipe");
  inner.out.reset(out[1]);
  const UniqueFd outer_out(out[0]);
  if (::pipe2(err, O_CLOEXEC) != 0) return system_failure("pipe");
  inner.err.reset(err[1]);
  const UniqueFd outer_err(err[0]);
  ::fcntl(outer_out.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(outer_err.get(), F_SETFL, O_NONBLOCK);
  // Its owner may open a pipe anew by /dev/stdout.
  if (::fchown(inner.out.get(), uid, uid) != 0 || ::fchown(inner.err.get(), uid, uid) != 0)
    return system_failure("fchown");
  const InitReport prepared{.kind = InitReportKind::prepared, .ai_port = port};
  const std::array<int, kMaxPassedFds> fds{outer_control.get(), outer_out.get(), outer_err.get(), listener.get()};
  if (!send_message(kReportFd, prepared, fds)) return system_failure("reporting to the spawner");
  return inner;
}

Result<Parked> prepare(const SandboxPlan& plan) {
  for (const auto& file : plan.join_files) {
    if (auto joined = write_cgroup(file, "0"); !joined) return fail(joined.error());
  }
  const uid_t uid = plan.options.base_uid + static_cast<uid_t>(plan.slot);
  if (::setgroups(0, nullptr) != 0) return system_failure("giving up supplementary groups");
  ::umask(022);
  constexpr std::string_view kHostname = "sandbox";
  if (::sethostname(kHostname.data(), kHostname.size()) != 0) return system_failure("naming the host");
  if (auto raised = raise_loopback(); !raised) return fail(raised.error());
  auto listener = listen_for_ai();
  if (!listener) return fail(listener.error());
  Parked parked;
  auto root = prepare_root(plan.options, uid);
  if (!root) return fail(root.error());
  parked.root = std::move(*root);
  auto space =
      make_user_namespace({.uid_inside = kInsideUid, .uid_outside = uid, .gid_inside = kInsideUid, .gid_outside = uid});
  if (!space) return fail(space.error());
  parked.user_namespace = std::move(*space);
  auto streams = hand_out_streams(std::move(listener->first), listener->second, uid);
  if (!streams) return fail(streams.error());
  parked.streams = std::move(*streams);
  return parked;
}

Result<void> limit_resources() {
  constexpr rlim_t kLargestFile = 128UL * 1024 * 1024;
  constexpr std::array<std::pair<__rlimit_resource, rlim_t>, 5> kLimits{{{RLIMIT_CORE, 0},
                                                                         {RLIMIT_FSIZE, kLargestFile},
                                                                         {RLIMIT_NOFILE, 1024},
                                                                         {RLIMIT_MSGQUEUE, 0},
                                                                         {RLIMIT_MEMLOCK, 64 * 1024}}};
  for (const auto& [resource, most] : kLimits) {
    rlimit now{};
    ::getrlimit(resource, &now);
    const rlim_t value =
        std::min(most, now.rlim_max);  // raising a hard limit needs CAP_SYS_RESOURCE, which we may not have
    const rlimit wanted{value, value};
    if (::setrlimit(resource, &wanted) != 0) return system_failure("limiting resources");
  }
  return {};
}

// Order matters: the bounding set needs CAP_SETPCAP, the ids need the new user namespace, the filter comes last of all.
Result<void> give_up_privileges(const SandboxPlan& plan, const UniqueFd& user_namespace) {
  if (auto limited = limit_resources(); !limited) return limited;
  if (::setns(user_namespace.get(), CLONE_NEWUSER) != 0) return system_failure("entering the user namespace");
  if (auto dropped = drop_bounding_set(); !dropped) return dropped;
  if (::setresgid(kInsideUid, kInsideUid, kInsideUid) != 0) return system_failure("switching the group id");
  if (::setresuid(kInsideUid, kInsideUid, kInsideUid) != 0) return system_failure("switching the user id");
  if (auto dropped = drop_capability_sets(); !dropped) return dropped;
  // Not dumpable: the runner, of the same uid, can't open this process's memory or descriptors in /proc.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return system_failure("protecting init");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_failure("setting no_new_privs");
  if (!bind_life_to_spawner()) return system_failure("waiting for the spawner", EPIPE);
  return install_seccomp_filter(plan.seccomp);
}

[[noreturn]] void become_runner(const RunnerCommand& command, const RunnerStreams& streams, int failed) {
  ::setsid();
  ::signal(SIGPIPE, SIG_DFL);
  // Out of the way of 0 to 3 first: these may already be among them.
  const int control = ::fcntl(streams.control.get(), F_DUPFD_CLOEXEC, 10);
  const int out = ::fcntl(streams.out.get(), F_DUPFD_CLOEXEC, 10);
  const int err = ::fcntl(streams.err.get(), F_DUPFD_CLOEXEC, 10);
  const int note = ::fcntl(failed, F_DUPFD_CLOEXEC, 10);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (::chdir("/workspace") == 0 && ::dup2(null, 0) == 0 && ::dup2(out, 1) == 1 && ::dup2(err, 2) == 2 &&
      ::dup2(control, 3) == 3 && ::close_range(4, ~0U, CLOSE_RANGE_CLOEXEC) == 0) {
    std::array<char*, kMaxArguments + 1> arguments{};
    for (std::size_t i = 0; i < command.arguments.size(); ++i)
      arguments[i] = const_cast<char*>(command.arguments[i].c_str());
    char* no_environment = nullptr;
    ::execve(arguments[0], arguments.data(), &no_environment);
  }
  const int error = errno;
  (void)!::write(note, &error, sizeof error);
  ::_exit(127);
}

// Returns when the runner has been exec'd.
Result<pid_t> start_runner(const RunnerCommand& command, RunnerStreams streams) {
  int failed[2] = {-1, -1};
  if (::pipe2(failed, O_CLOEXEC) != 0) return system_failure("pipe");
  const UniqueFd read_end(failed[0]);
  UniqueFd write_end(failed[1]);
  const pid_t runner = raw_fork();
  if (runner < 0) return system_failure("forking the runner");
  if (runner == 0) become_runner(command, streams, write_end.get());
  write_end.reset();
  int error = 0;
  if (::read(read_end.get(), &error, sizeof error) > 0)
    return system_failure("starting " + command.arguments.front(), error);
  return runner;
}

const UniqueFd& runner_folder(const PreparedRoot& root, Runtime runtime) {
  if (runtime == Runtime::python) return root.python_runner;
  return runtime == Runtime::nodejs ? root.node_runner : root.native_runner;
}

Result<pid_t> run_function(const SandboxPlan& plan, Parked parked, const InitCommand& command) {
  const auto runtime = static_cast<Runtime>(command.runtime);
  auto runner = runner_command(plan.options, runtime, static_cast<int>(command.memory_mb));
  if (!runner) return fail(runner.error());
  const UniqueFd& folder = runner_folder(parked.root, runtime);
  const uid_t uid = plan.options.base_uid + static_cast<uid_t>(plan.slot);
  if (auto finished = finish_root(parked.root, folder, to_hex(command.version), uid); !finished)
    return fail(finished.error());
  if (auto given_up = give_up_privileges(plan, parked.user_namespace); !given_up) return fail(given_up.error());
  for (UniqueFd* fd : {&parked.root.python_runner, &parked.root.node_runner, &parked.root.native_runner,
                       &parked.root.code_map, &parked.user_namespace})
    fd->reset();
  return start_runner(*runner, std::move(parked.streams));
}

[[noreturn]] void fail_and_exit(const Error& error) {
  InitReport report{.kind = InitReportKind::failed};
  put_text(report.text, error.message);
  send_message(kReportFd, report);
  ::_exit(1);
}

// The standard streams are the program's own until here.
void leave_standard_streams() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, stream);
  ::close(null);
}

}  // namespace

void run_sandbox_init(const SandboxPlan& plan, int report) {
  drop_inherited(report);
  if (!bind_life_to_spawner()) ::_exit(0);
  auto parked = prepare(plan);
  if (!parked) fail_and_exit(parked.error());
  leave_standard_streams();
  InitCommand command;
  if (receive_message(kReportFd, command) != Received::message) ::_exit(0);
  auto runner = run_function(plan, std::move(*parked), command);
  if (!runner) fail_and_exit(runner.error());
  send_message(kReportFd, InitReport{.kind = InitReportKind::running});
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended < 0 && errno == EINTR) continue;
    if (ended >= 0 && ended != *runner) continue;  // an orphan of the runner's
    send_message(kReportFd, InitReport{.kind = InitReportKind::exited, .ai_port = 0, .wait_status = status});
    ::_exit(0);
  }
}

}  // namespace infra::worker
