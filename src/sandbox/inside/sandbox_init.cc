#include "sandbox/inside/sandbox_init.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "core/error_codes.h"
#include "sandbox/inside/sandbox_process.h"
#include "sandbox/inside/sandbox_root.h"
#include "sandbox/protocol/output_exchange.h"
#include "sandbox/protocol/spawner_protocol.h"
#include "sandbox/protocol/state_probe.h"
#include "sandbox/protocol/version_hash.h"
#include "sandbox/system/message_socket.h"
#include "sandbox/system/raw_fork.h"
#include "sandbox/system/system_error.h"
#include "sandbox/system/user_namespace.h"

namespace infra::sandbox {
namespace {

constexpr int kRootTemplateFd = 4;
constexpr int kMachineFd = 5;
constexpr int kListenBacklog = 64;
constexpr const char* kOutputFolder = "/output";

// What init keeps until it learns which function it is for.
struct Parked {
  PreparedRoot root;
  UniqueFd user_namespace;
  OutputServer output;
  pid_t runner = -1;
};

// What was open in the spawner (other sandboxes' sockets among it) must not live on in here.
void drop_inherited(int report, int root_template, int machine) {
  std::array<std::pair<int, int>, 3> kept{
      {{report, kReportFd}, {root_template, kRootTemplateFd}, {machine, kMachineFd}}};
  for (auto& [fd, place] : kept) fd = ::fcntl(fd, F_DUPFD_CLOEXEC, kMachineFd + 1);  // out of each other's way
  for (const auto& [fd, place] : kept) {
    if (fd >= 0) ::dup3(fd, place, O_CLOEXEC);
  }
  ::close_range(machine >= 0 ? kMachineFd + 1 : kMachineFd, ~0U, 0);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
  ::setsid();
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

// In the runner. Returns only if it fails.
Result<void> become_runner(const SandboxPlan& plan, const UniqueFd& user_namespace, const RunnerStreams& streams,
                           int& note) {
  ::setsid();
  ::signal(SIGPIPE, SIG_DFL);
  if (auto first = be_killed_first(); !first) return first;
  if (auto given_up = give_up_privileges(plan.seccomp.runner, user_namespace, SandboxRole::runner); !given_up)
    return given_up;
  if (auto arranged = arrange_descriptors(streams, note); !arranged) return arranged;
  if (::chdir("/workspace") != 0) return system_failure("entering the workspace");
  std::array<char*, kMaxArguments + 1> arguments{};
  for (std::size_t i = 0; i < plan.command.arguments.size(); ++i)
    arguments[i] = const_cast<char*>(plan.command.arguments[i].c_str());
  const auto& variable = plan.command.variable;
  std::array<char*, 2> environment{variable.empty() ? nullptr : const_cast<char*>(variable.c_str())};
  ::execve(arguments[0], arguments.data(), environment.data());
  return system_failure("starting " + plan.command.arguments.front());
}

// Returns when the runner's own code is about to run.
Result<pid_t> start_runner(const SandboxPlan& plan, const UniqueFd& user_namespace, const RunnerStreams& streams) {
  int pipe[2] = {-1, -1};
  if (::pipe2(pipe, O_CLOEXEC) != 0) return system_failure("pipe");
  const UniqueFd read_end(pipe[0]);
  UniqueFd write_end(pipe[1]);
  const pid_t runner = raw_fork();
  if (runner < 0) return system_failure("forking the runner");
  if (runner == 0) {
    int note = write_end.get();
    const auto failed = become_runner(plan, user_namespace, streams, note);
    (void)!::write(note, failed.error().message.data(), failed.error().message.size());
    ::_exit(127);
  }
  write_end.reset();
  std::array<char, kTextBytes> why{};
  if (const ssize_t size = ::read(read_end.get(), why.data(), why.size()); size > 0) {
    return fail(errors::sandbox_failed, std::string(why.data(), static_cast<std::size_t>(size)));
  }
  return runner;
}

// The zygote's process, which becomes this one's child; or its own, if the spawner has no zygote after all.
Result<pid_t> obtain_runner(const SandboxPlan& plan, const UniqueFd& user_namespace, const RunnerStreams& streams) {
  if (!plan.runner_is_forked) return start_runner(plan, user_namespace, streams);
  const std::array<int, kRunnerFds> fds{user_namespace.get(), streams.control.get(), streams.out.get(),
                                        streams.err.get()};
  InitCommand command;
  if (!send_message(kReportFd, InitReport{.kind = InitReportKind::built}, fds) ||
      receive_message(kReportFd, command) != Received::message) {
    return system_failure("asking the spawner for a runner", EPIPE);
  }
  if (command.op == InitOp::adopt) return command.runner;
  return start_runner(plan, user_namespace, streams);
}

Result<Parked> prepare(const SandboxPlan& plan) {
  if (auto joined = join_groups(plan.join_files); !joined) return fail(joined.error());
  const uid_t uid = plan.options.base_uid + static_cast<uid_t>(plan.slot);
  if (::setgroups(0, nullptr) != 0) return system_failure("giving up supplementary groups");
  ::umask(022);
  constexpr std::string_view kHostname = "sandbox";
  if (::sethostname(kHostname.data(), kHostname.size()) != 0) return system_failure("naming the host");
  if (auto raised = raise_loopback(); !raised) return fail(raised.error());
  UniqueFd counters;
  if (plan.network) {
    auto joined = join_network(*plan.network, UniqueFd(kMachineFd));
    if (!joined) return fail(joined.error());
    counters = std::move(*joined);
  }
  auto listener = listen_for_ai();
  if (!listener) return fail(listener.error());
  auto root = prepare_root(plan.options, UniqueFd(kRootTemplateFd).get(), plan.proc, uid);
  if (!root) return fail(root.error());
  if (plan.purpose == LaunchPurpose::build) {
    if (auto widened = widen_scratch(); !widened) return fail(widened.error());
  }
  auto space =
      make_user_namespace({.uid_inside = kInsideUid, .uid_outside = uid, .gid_inside = kInsideUid, .gid_outside = uid});
  if (!space) return fail(space.error());
  auto streams = make_streams(uid);
  if (!streams) return fail(streams.error());
  auto runner = obtain_runner(plan, *space, streams->runner);
  if (!runner) return fail(runner.error());
  auto output = open_output_line(kOutputFolder);  // only now: none of it is the runner's
  if (!output) return fail(output.error());
  const InitReport prepared{.kind = InitReportKind::prepared, .ai_port = listener->second};
  const auto probes = open_early_probes(*runner);
  const auto disk = open_disk_probe(*runner);
  std::array<int, kStreamFds + kEarlyProbes + 2> fds{streams->control.get(),      streams->out.get(),
                                                     streams->err.get(),          listener->first.get(),
                                                     output->client.folder.get(), output->client.requests.get()};
  std::ranges::transform(probes, fds.begin() + kStreamFds, &UniqueFd::get);
  fds[kStreamFds + kEarlyProbes] = disk.get();
  fds.back() = counters.get();
  if (!send_message(kReportFd, prepared, std::span(fds).first(plan.network ? fds.size() : fds.size() - 1)))
    return system_failure("reporting to the spawner");
  return Parked{.root = std::move(*root),
                .user_namespace = std::move(*space),
                .output = std::move(output->server),
                .runner = *runner};
}

// Nothing of the user's runs before the worker has the streams, which it gets when this is done.
Result<void> open_for(const VersionHash& version, const SandboxPlan& plan, Parked& parked) {
  const uid_t uid = plan.options.base_uid + static_cast<uid_t>(plan.slot);
  if (auto finished = finish_root(parked.root, to_hex(version), uid); !finished) return finished;
  if (auto given_up = give_up_privileges(plan.seccomp.init, parked.user_namespace, SandboxRole::init); !given_up)
    return given_up;
  parked.user_namespace.reset();
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

UniqueFd watch_children() {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &children, nullptr);
  return UniqueFd(::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
}

// Until `fd` can be read. Reaps meanwhile.
void wait_for(int fd, const UniqueFd& ended, pid_t runner) {
  for (;;) {
    reap(runner);
    std::array<pollfd, 2> polled{pollfd{ended.get(), POLLIN, 0}, pollfd{fd, POLLIN, 0}};
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;
    signalfd_siginfo taken{};
    if (polled[0].revents != 0 && ::read(ended.get(), &taken, sizeof taken) < 0) continue;
    if (polled[1].revents != 0) return;
  }
}

// What preparing took of the stack: most instances wait far longer than that took.
[[gnu::noinline]] void drop_dead_stack() {
  constexpr std::size_t kPage = 4096;
  constexpr std::size_t kOwnFrames = 2 * kPage;
  constexpr std::size_t kMost = 128 * 1024;  // below that, and below the stack itself, the kernel leaves a gap
  auto* const here = static_cast<char*>(__builtin_frame_address(0)) - kOwnFrames;
  auto* const end = here - reinterpret_cast<std::uintptr_t>(here) % kPage;
  (void)::madvise(end - kMost, kMost, MADV_DONTNEED);
}

// The standard streams are the program's own until here.
void leave_standard_streams() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, stream);
  ::close(null);
}

}  // namespace

[[noreturn]] void run_sandbox_init(const SandboxPlan& plan, int report, int machine) {
  drop_inherited(report, plan.root_template, machine);
  if (!bind_life_to_spawner()) ::_exit(0);
  auto parked = prepare(plan);
  if (!parked) fail_and_exit(parked.error());
  leave_standard_streams();
  const UniqueFd ended = watch_children();
  if (!ended.valid()) fail_and_exit(system_failure("waiting for the runner's end").error());
  wait_for(kReportFd, ended, parked->runner);
  InitCommand command;
  if (receive_message(kReportFd, command) != Received::message) ::_exit(0);
  if (auto opened = open_for(command.version, plan, *parked); !opened) fail_and_exit(opened.error());
  send_message(kReportFd, InitReport{.kind = InitReportKind::running});
  drop_dead_stack();
  for (;;) {
    wait_for(parked->output.requests.get(), ended, parked->runner);
    serve_output(parked->output);
  }
}

}  // namespace infra::sandbox
