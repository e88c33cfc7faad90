#include "sandbox/spawner/zygote_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "core/time.h"
#include "sandbox/inside/sandbox_process.h"
#include "sandbox/protocol/spawner_protocol.h"
#include "sandbox/protocol/zygote_protocol.h"
#include "sandbox/spawner/package_folders.h"
#include "sandbox/spawner/runner_programs.h"
#include "sandbox/system/message_socket.h"
#include "sandbox/system/mounts.h"
#include "sandbox/system/raw_fork.h"
#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

using std::chrono::steady_clock;

constexpr int kSocketFd = 3;
constexpr std::chrono::seconds kPatience{2};  // a fork takes a millisecond or two
constexpr std::size_t kMostAsked = 32;        // so that a send to one that hangs never blocks

// A runner is to find signals as any interpreter does, and all begin with what the zygote began with; but those that
// are meant for the program must not end the zygote. It blocks them, and its forks stop blocking.
void begin_with_usual_signals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&blocked, signal);
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
}

// An interpreter runs code of what it finds there when it starts, and remembers what there was.
bool hide_packages() {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  return std::ranges::all_of(package_folders(), [](const std::string& folder) {
    return mount_new("tmpfs", folder, MS_RDONLY | MS_NOSUID | MS_NODEV, "size=0,nr_inodes=1,mode=755").has_value();
  });
}

[[noreturn]] void become_zygote(const std::vector<std::string>& command, int socket) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  begin_with_usual_signals();
  if (!be_killed_first()) ::_exit(127);  // for its forks, which then have it for nothing; it is replaced
  if (!hide_packages()) ::_exit(127);
  ::dup2(socket, kSocketFd);
  ::fcntl(kSocketFd, F_SETFD, 0);
  ::close_range(kSocketFd + 1, ~0U, 0);
  std::vector<char*> arguments;
  for (const auto& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  char* no_environment = nullptr;
  ::execve(arguments[0], arguments.data(), &no_environment);
  ::_exit(127);
}

}  // namespace

Zygote::~Zygote() {
  end();
}

void Zygote::start() {
  end();
  forks_ = 0;
  started_ = steady_clock::now();
  const auto script = options_.runners / "python/zygote.py";
  std::error_code error;
  const auto python = std::filesystem::canonical(kPythonInterpreter.program, error);
  if (error || options_.zygote_library.empty() || !std::filesystem::exists(script, error)) return;
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return;
  socket_.reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  auto command = command_for(kPythonInterpreter, python.string(), script.string());
  command.insert(command.end(), {options_.zygote_library.string(), options_.runners.string()});
  if (!options_.python_packages.empty()) command.emplace_back(kPackageFolder);
  const pid_t pid = raw_fork();
  if (pid == 0) become_zygote(command, theirs.get());
  if (pid > 0) pid_fd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pid_fd_.valid()) socket_.reset();
}

bool Zygote::ask(std::uint64_t sandbox, int init, std::span<const UniqueFd> fds,
                 const std::vector<std::string>& join_files) {
  const bool fits = join_files.size() <= kMaxJoinFiles &&
                    std::ranges::all_of(join_files, [](const auto& file) { return file.size() < kPathBytes; });
  if (!ready_ || !fits || asked_.size() >= kMostAsked) return false;
  ZygoteRequest request{.sandbox = sandbox};
  for (std::size_t i = 0; i < join_files.size(); ++i) std::ranges::copy(join_files[i], request.join_files[i].begin());
  std::array<int, 1 + kRunnerFds> passed{init};
  std::ranges::transform(fds.first(kRunnerFds), passed.begin() + 1, &UniqueFd::get);
  if (!send_message(socket_.get(), request, passed)) return false;  // listen() will hear of its end
  asked_.push_back({sandbox, steady_clock::now()});
  ++forks_;
  return true;
}

std::vector<Zygote::Answer> Zygote::listen() {
  std::vector<Answer> answers;
  while (socket_.valid()) {
    ZygoteReply reply;
    const Received received = receive_message(socket_.get(), reply, nullptr, false);
    if (received == Received::nothing) break;
    if (received != Received::message) {
      const bool was_ready = ready_;
      give_up_asked(answers);
      end();
      if (was_ready) start();  // one that never was would not be the next time
      break;
    }
    if (reply.kind == ZygoteReplyKind::ready) {
      ready_ = true;
      continue;
    }
    if (!asked_.empty()) asked_.pop_front();
    answers.push_back({reply.sandbox, reply.kind == ZygoteReplyKind::forked ? reply.runner : -1});
  }
  if (patience_ms() == 0) {
    give_up_asked(answers);
    start();
  }
  return answers;
}

int Zygote::patience_ms() const {
  if (asked_.empty()) return -1;
  const auto left = std::chrono::ceil<milliseconds>(asked_.front().since + kPatience - steady_clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

void Zygote::give_up_asked(std::vector<Answer>& answers) {
  for (const auto& asked : std::exchange(asked_, {})) answers.push_back({asked.sandbox, -1});
}

void Zygote::dismiss() {
  ready_ = false;
  socket_.reset();
}

bool Zygote::has_ended() const {
  pollfd ended{pid_fd_.get(), POLLIN, 0};
  return !pid_fd_.valid() || ::poll(&ended, 1, 0) == 1;
}

void Zygote::end() {
  ready_ = false;
  socket_.reset();
  if (!pid_fd_.valid()) return;
  ::syscall(SYS_pidfd_send_signal, pid_fd_.get(), SIGKILL, nullptr, 0);
  siginfo_t info{};
  ::waitid(P_PIDFD, static_cast<id_t>(pid_fd_.get()), &info, WEXITED);
  pid_fd_.reset();
}

}  // namespace infra::sandbox
