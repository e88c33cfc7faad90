#include "sandbox/client/plain_launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <system_error>
#include <vector>

#include "core/at_end.h"
#include "core/error_codes.h"
#include "core/mutex.h"
#include "core/system_errors.h"
#include "sandbox/protocol/output_folder.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> launch_failed(std::string_view step, int error) {
  return fail(is_out_of_descriptors(error) ? errors::no_descriptors : errors::sandbox_failed,
              fmt::format("The function's process could not be started: {}: {}.", step, std::strerror(error)));
}

// The ends of everything that passes between worker and runner.
struct Channels {
  UniqueFd control, runner_control;
  UniqueFd out, runner_out;
  UniqueFd err, runner_err;
  UniqueFd ai;
  std::uint16_t ai_port = 0;
};

// Above the numbers that the child gets its ends as, so that moving one never overwrites another.
constexpr int kLowestFd = 10;

bool raise_fd(UniqueFd& target, int fd) {
  const UniqueFd low(fd);
  target.reset(fcntl(fd, F_DUPFD_CLOEXEC, kLowestFd));
  return target.get() >= 0;
}

bool open_pipe(UniqueFd& read_end, UniqueFd& write_end) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  read_end.reset(ends[0]);
  return raise_fd(write_end, ends[1]) && fcntl(read_end.get(), F_SETFL, O_NONBLOCK) == 0;
}

bool open_ai_listener(Channels& channels) {
  channels.ai.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);  // the sockets API's own idiom
  if (channels.ai.get() < 0 || bind(channels.ai.get(), generic, size) != 0 || listen(channels.ai.get(), 64) != 0 ||
      getsockname(channels.ai.get(), generic, &size) != 0) {
    return false;
  }
  channels.ai_port = ntohs(address.sin_port);
  return true;
}

Result<Channels> open_channels() {
  Channels channels;
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return launch_failed("socketpair", errno);
  channels.control.reset(ends[0]);
  if (!raise_fd(channels.runner_control, ends[1])) return launch_failed("descriptor", errno);
  if (!open_pipe(channels.out, channels.runner_out)) return launch_failed("pipe", errno);
  if (!open_pipe(channels.err, channels.runner_err)) return launch_failed("pipe", errno);
  if (!open_ai_listener(channels)) return launch_failed("AI listener", errno);
  return channels;
}

class SpawnSetup {
 public:
  SpawnSetup(const Channels& channels, const fs::path& workspace) {
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, channels.runner_out.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, channels.runner_err.get(), STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, channels.runner_control.get(), 3);
    posix_spawn_file_actions_addclosefrom_np(&actions,
                                             4);  // the program's listening socket and its clients' among them
    posix_spawn_file_actions_addchdir_np(&actions, workspace.c_str());
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);  // event threads block all signals
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

class PlainSandbox : public Sandbox {
 public:
  PlainSandbox(pid_t pid, Channels channels, fs::path folder)
      : pid_(pid),
        process_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))),
        channels_(std::move(channels)),
        folder_(std::move(folder)) {
    handles_ = {.control = channels_.control.get(),
                .stdout_pipe = channels_.out.get(),
                .stderr_pipe = channels_.err.get(),
                .ai_listener = channels_.ai.get(),
                .ai_port = channels_.ai_port};
  }

  ~PlainSandbox() override {
    kill();
    wait(milliseconds(0));
    if (handles_.ai_listener < 0) (void)channels_.ai.release();  // the AI proxy's by now
    std::error_code ignored;                                     // left over, it is swept at the next start
    fs::remove_all(folder_, ignored);
  }

  SandboxHandles& handles() override { return handles_; }

  void kill() override {
    const MutexLock lock(mutex_);
    if (!exit_) ::kill(-pid_, SIGKILL);
  }

  SandboxExit wait(milliseconds patience) override {
    {
      const MutexLock lock(mutex_);
      if (exit_) return *exit_;
    }
    pollfd ended{.fd = process_.get(), .events = POLLIN, .revents = 0};
    if (poll(&ended, 1, static_cast<int>(patience.count())) <= 0) kill();
    siginfo_t info{};
    while (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
    }
    const MutexLock lock(mutex_);
    if (exit_) return *exit_;
    usage_ = read_usage();
    ::kill(-pid_, SIGKILL);  // the runner's leftovers; its id can't be reused before the waitpid below
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    exit_ = SandboxExit{.exited = WIFEXITED(status),
                        .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                        .out_of_memory = false};
    return *exit_;
  }

  SandboxUsage usage() override {
    const MutexLock lock(mutex_);
    return exit_ ? usage_ : read_usage();
  }

  SandboxState look() override { return {}; }
  void freeze() override {}
  void thaw() override {}
  bool has_output() override {
    const UniqueFd output = open_output();
    return !output.valid() || has_entries(output.get());
  }
  OutputTree take_output(milliseconds /*patience*/) override {
    OutputTree tree;
    const UniqueFd output = open_output();
    if (output.valid() && !has_entries(output.get())) return tree;
    tree.emptied = take_entries(output.get(), [&](OutputEntry entry) { tree.entries.push_back(std::move(entry)); });
    return tree;
  }

  void reset_peak() override { std::ofstream(fmt::format("/proc/{}/clear_refs", pid_)) << "5"; }  // proc(5)

 private:
  [[nodiscard]] UniqueFd open_output() const {
    return UniqueFd(::open((folder_ / "output").c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }

  // The runner's own; children that it starts are not counted without a cgroup.
  SandboxUsage read_usage() const INFRA_REQUIRES(mutex_) {
    SandboxUsage usage = usage_;
    clockid_t clock{};
    timespec spent{};
    if (clock_getcpuclockid(pid_, &clock) == 0 && clock_gettime(clock, &spent) == 0) {
      usage.cpu_us = spent.tv_sec * 1'000'000 + spent.tv_nsec / 1000;
    }
    std::ifstream status(fmt::format("/proc/{}/status", pid_));
    for (std::string word; status >> word;) {
      if (word == "VmHWM:" && status >> usage.peak_memory_bytes) usage.peak_memory_bytes *= 1024;
    }
    return usage;
  }

  const pid_t pid_;
  UniqueFd process_;
  Channels channels_;
  fs::path folder_;
  SandboxHandles handles_;
  Mutex mutex_;  // keeps pid_, too, from being signalled after it is free again
  std::optional<SandboxExit> exit_ INFRA_GUARDED_BY(mutex_);
  SandboxUsage usage_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace

PlainLauncher::PlainLauncher(Options options) : options_(std::move(options)) {
  std::error_code error;
  for (auto* folder : {&options_.runners.runtimes, &options_.runners.native, &options_.temporary}) {
    if (!error) *folder = fs::absolute(*folder, error);
  }
  if (!error) fs::remove_all(options_.temporary, error);
  if (!error) fs::create_directories(options_.temporary, error);
  if (error) throw fs::filesystem_error("the folder for instances can't be made", options_.temporary, error);
}

Result<std::unique_ptr<Sandbox>> PlainLauncher::launch(const LaunchRequest& request) {
  const fs::path folder = options_.temporary / std::to_string(++launched_);
  bool launched = false;
  const AtEnd undo([&] {
    std::error_code ignored;
    if (!launched) fs::remove_all(folder, ignored);
  });
  std::error_code error;
  for (const auto* name : {"tmp", "output"}) fs::create_directories(folder / name, error);
  constexpr auto kAsItIs = fs::copy_options::recursive | fs::copy_options::copy_symlinks;
  if (!error) fs::copy(options_.versions / request.version, folder / "workspace", kAsItIs, error);
  auto channels = error ? Result<Channels>(launch_failed("its folder", error.value())) : open_channels();
  if (!channels) return fail(channels.error());

  auto command = request.purpose == LaunchPurpose::build
                     ? builder_command(request.runtime, options_.runners)
                     : runner_command(request.runtime, options_.runners, request.thread_pool);
  std::vector<std::string> environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8",
                                          "TMPDIR=" + (folder / "tmp").string(),
                                          "OUTPUT_DIR=" + (folder / "output").string()};
  // Nothing of the machine's is hidden by mounts: the runner does what it can.
  if (traits_of(request.runtime).interpreter == &kPythonInterpreter)
    environment.push_back("INFRA_PYTHON_PACKAGES=" + options_.python_packages.string());
  const SpawnSetup setup(*channels, folder / "workspace");
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, command[0].c_str(), &setup.actions, &setup.attributes, pointers(command).data(),
                                 pointers(environment).data());
  if (failed != 0) return launch_failed(command[0], failed);
  launched = true;
  channels->runner_control.reset();
  channels->runner_out.reset();
  channels->runner_err.reset();
  return std::make_unique<PlainSandbox>(pid, std::move(*channels), folder);
}

}  // namespace infra::sandbox
