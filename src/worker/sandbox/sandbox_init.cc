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
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "worker/sandbox/cgroup_files.h"
#include "worker/sandbox/message_socket.h"
#include "worker/sandbox/output_exchange.h"
#include "worker/sandbox/privileges.h"
#include "worker/sandbox/raw_fork.h"
#include "worker/sandbox/sandbox_root.h"
#include "worker/sandbox/system_error.h"
#include "worker/sandbox/user_namespace.h"

namespace infra::worker {
namespace {

constexpr uid_t kInsideUid = 1000;
constexpr int kReportFd = 3;
constexpr int kListenBacklog = 64;
constexpr const char* kOutputFolder = "/output";

// The runner's ends, which become its descriptors 0 to 3.
struct RunnerStreams {
  UniqueFd control, out, err;
};

// What init keeps until it learns which function it is for.
struct Parked {
  PreparedRoot root;
  UniqueFd user_namespace;
  OutputServer output = {};
  pid_t runner = -1;  // 0: this process is the runner
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

struct Streams {
  RunnerStreams runner;
  UniqueFd control, out, err;  // the worker's ends
};

Result<Streams> make_streams(uid_t uid) {
  int control[2] = {-1, -1};
  int out[2] = {-1, -1};
  int err[2] = {-1, -1};
  Streams streams;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0) return system_failure("socketpair");
  streams.control.reset(control[0]);
  streams.runner.control.reset(control[1]);
  if (::pipe2(out, O_CLOEXEC) != 0) return system_failure("pipe");
  streams.out.reset(out[0]);
  streams.runner.out.reset(out[1]);
  if (::pipe2(err, O_CLOEXEC) != 0) return system_failure("pipe");
  streams.err.reset(err[0]);
  streams.runner.err.reset(err[1]);
  ::fcntl(streams.out.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(streams.err.get(), F_SETFL, O_NONBLOCK);
  // Its owner may open a pipe anew by /dev/stdout.
  if (::fchown(streams.runner.out.get(), uid, uid) != 0 || ::fchown(streams.runner.err.get(), uid, uid) != 0)
    return system_failure("fchown");
  return streams;
}

Result<void> limit_resources() {
  constexpr rlim_t kLargestFile = 128UL * 1024 * 1024;
  constexpr std::array<std::pair<__rlimit_resource, rlim_t>, 6> kLimits{
      {{RLIMIT_CORE, 0},
       {RLIMIT_FSIZE, kLargestFile},
       {RLIMIT_NOFILE, 1024},
       {RLIMIT_MSGQUEUE, 0},
       {RLIMIT_MEMLOCK, 64 * 1024},
       {RLIMIT_SIGPENDING, 128}}};  // timers too, and counted for root as well: all slots together must leave it some
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
Result<void> give_up_privileges(const SandboxPlan& plan, const UniqueFd& user_namespace, bool dumpable) {
  if (auto limited = limit_resources(); !limited) return limited;
  if (::setns(user_namespace.get(), CLONE_NEWUSER) != 0) return system_failure("entering the user namespace");
  if (auto dropped = drop_bounding_set(); !dropped) return dropped;
  if (::setresgid(kInsideUid, kInsideUid, kInsideUid) != 0) return system_failure("switching the group id");
  if (::setresuid(kInsideUid, kInsideUid, kInsideUid) != 0) return system_failure("switching the user id");
  if (auto dropped = drop_capability_sets(); !dropped) return dropped;
  // The runner, of the same uid, can't open the memory or descriptors of one that is not dumpable in /proc.
  if (::prctl(PR_SET_DUMPABLE, dumpable ? 1 : 0, 0, 0, 0) != 0) return system_failure("protecting init");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_failure("setting no_new_privs");
  if (!bind_life_to_spawner()) return system_failure("waiting for the spawner", EPIPE);
  return install_seccomp_filter(plan.seccomp);
}

// Out of the way of 0 to 3 first: these may already be among them. Gives the new place of `note`.
Result<UniqueFd> arrange_descriptors(const RunnerStreams& streams, const UniqueFd& note) {
  const int control = ::fcntl(streams.control.get(), F_DUPFD_CLOEXEC, 10);
  const int out = ::fcntl(streams.out.get(), F_DUPFD_CLOEXEC, 10);
  const int err = ::fcntl(streams.err.get(), F_DUPFD_CLOEXEC, 10);
  UniqueFd moved(::fcntl(note.get(), F_DUPFD_CLOEXEC, 10));
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (::dup2(null, 0) != 0 || ::dup2(out, 1) != 1 || ::dup2(err, 2) != 2 || ::dup2(control, 3) != 3)
    return system_failure("arranging the runner's descriptors");
  const auto kept = static_cast<unsigned>(moved.get());
  if (::close_range(4, kept - 1, 0) != 0 || ::close_range(kept + 1, ~0U, 0) != 0)
    return system_failure("closing what is not the runner's");
  return moved;
}

// In the runner. Returns when it has to go on as the program that called; else it is executed.
Result<void> become_runner(const SandboxPlan& plan, const Parked& parked, const RunnerStreams& streams,
                           UniqueFd& note) {
  ::setsid();
  ::signal(SIGPIPE, SIG_DFL);
  if (auto given_up = give_up_privileges(plan, parked.user_namespace, true); !given_up) return given_up;
  auto moved = arrange_descriptors(streams, note);
  if (!moved) return fail(moved.error());
  (void)note.release();  // closed under its old number
  note = std::move(*moved);
  if (::chdir("/workspace") != 0) return system_failure("entering the workspace");
  if (!plan.command) return {};
  std::array<char*, kMaxArguments + 1> arguments{};
  for (std::size_t i = 0; i < plan.command->arguments.size(); ++i)
    arguments[i] = const_cast<char*>(plan.command->arguments[i].c_str());
  char* no_environment = nullptr;
  ::execve(arguments[0], arguments.data(), &no_environment);
  return system_failure("starting " + plan.command->arguments.front());
}

// Returns when the runner's own code is about to run; 0 in the runner of a plan without a command.
Result<pid_t> start_runner(const SandboxPlan& plan, const Parked& parked, RunnerStreams streams) {
  int pipe[2] = {-1, -1};
  if (::pipe2(pipe, O_CLOEXEC) != 0) return system_failure("pipe");
  UniqueFd read_end(pipe[0]);
  UniqueFd note(pipe[1]);
  // A program that goes on needs libc to know that it is another process by now.
  const pid_t runner = plan.command ? raw_fork() : ::fork();
  if (runner < 0) return system_failure("forking the runner");
  if (runner == 0) {
    const auto became = become_runner(plan, parked, streams, note);
    if (became) {
      // arrange_descriptors() has closed them, whatever their numbers belong to now.
      for (UniqueFd* fd : {&read_end, &streams.control, &streams.out, &streams.err}) (void)fd->release();
      return 0;
    }
    (void)!::write(note.get(), became.error().message.data(), became.error().message.size());
    ::_exit(127);
  }
  note.reset();
  std::array<char, kTextBytes> why{};
  if (const ssize_t size = ::read(read_end.get(), why.data(), why.size()); size > 0) {
    return fail(ErrorKind::unavailable, "sandbox_failed", std::string(why.data(), static_cast<std::size_t>(size)));
  }
  return runner;
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
  auto root = prepare_root(plan.options, plan.runner, uid);
  if (!root) return fail(root.error());
  if (plan.purpose == LaunchPurpose::build) {
    if (auto widened = widen_scratch(); !widened) return fail(widened.error());
  }
  auto space =
      make_user_namespace({.uid_inside = kInsideUid, .uid_outside = uid, .gid_inside = kInsideUid, .gid_outside = uid});
  if (!space) return fail(space.error());
  auto streams = make_streams(uid);
  if (!streams) return fail(streams.error());
  Parked parked{.root = std::move(*root), .user_namespace = std::move(*space)};
  auto runner = start_runner(plan, parked, std::move(streams->runner));
  if (!runner) return fail(runner.error());
  parked.runner = *runner;
  if (*runner == 0) {
    for (UniqueFd* fd : {&streams->control, &streams->out, &streams->err, &listener->first, &parked.root.code_map,
                         &parked.user_namespace}) {
      (void)fd->release();  // closed, as above
    }
    return parked;
  }
  auto output = open_output_line(kOutputFolder);  // only now: none of it is the runner's
  if (!output) return fail(output.error());
  parked.output = std::move(output->server);
  const InitReport prepared{.kind = InitReportKind::prepared, .ai_port = listener->second};
  const std::array<int, kMaxPassedFds> fds{streams->control.get(),      streams->out.get(),
                                           streams->err.get(),          listener->first.get(),
                                           output->client.folder.get(), output->client.requests.get()};
  if (!send_message(kReportFd, prepared, fds)) return system_failure("reporting to the spawner");
  return parked;
}

// Nothing of the user's runs before the worker has the streams, which it gets when this is done.
Result<void> open_for(const VersionHash& version, const SandboxPlan& plan, Parked& parked) {
  if (::waitpid(parked.runner, nullptr, WNOHANG) != 0) {
    return fail(ErrorKind::unavailable, "sandbox_failed", "the runner ended while it waited for a function");
  }
  const uid_t uid = plan.options.base_uid + static_cast<uid_t>(plan.slot);
  if (auto finished = finish_root(parked.root, to_hex(version), uid); !finished) return finished;
  if (auto given_up = give_up_privileges(plan, parked.user_namespace, false); !given_up) return given_up;
  for (UniqueFd* fd : {&parked.root.code_map, &parked.user_namespace}) fd->reset();
  return {};
}

[[noreturn]] void fail_and_exit(const Error& error) {
  InitReport report{.kind = InitReportKind::failed};
  put_text(report.text, error.message);
  send_message(kReportFd, report);
  ::_exit(1);
}

// Takes whatever has ended by now, orphans of the runner's among them; the runner's end is this process's own.
void reap(pid_t runner) {
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, WNOHANG);
    if (ended == 0) return;
    if (ended < 0 && errno == EINTR) continue;
    if (ended > 0 && ended != runner) continue;
    send_message(kReportFd, InitReport{.kind = InitReportKind::exited, .ai_port = 0, .wait_status = status});
    ::_exit(0);
  }
}

[[noreturn]] void serve_until_the_end(pid_t runner, OutputServer& output) {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &children, nullptr);
  const UniqueFd ended(::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!ended.valid()) fail_and_exit(system_failure("waiting for the runner's end").error());
  for (;;) {
    reap(runner);
    std::array<pollfd, 2> polled{pollfd{ended.get(), POLLIN, 0}, pollfd{output.requests.get(), POLLIN, 0}};
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;
    signalfd_siginfo taken{};
    if (polled[0].revents != 0 && ::read(ended.get(), &taken, sizeof taken) < 0) continue;
    if (polled[1].revents != 0) serve_output(output);
  }
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
  if (parked->runner == 0) return;
  leave_standard_streams();
  InitCommand command;
  if (receive_message(kReportFd, command) != Received::message) ::_exit(0);
  if (auto opened = open_for(command.version, plan, *parked); !opened) fail_and_exit(opened.error());
  send_message(kReportFd, InitReport{.kind = InitReportKind::running});
  serve_until_the_end(parked->runner, parked->output);
}

}  // namespace infra::worker
