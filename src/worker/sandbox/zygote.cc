#include "worker/sandbox/zygote.h"

#include <fcntl.h>
#include <linux/sched.h>
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

#include "worker/sandbox/message_socket.h"
#include "worker/sandbox/raw_fork.h"
#include "worker/sandbox/runner_command.h"
#include "worker/sandbox/system_error.h"
#include "worker/sandbox/zygote_protocol.h"

namespace infra::worker {
namespace {

constexpr int kSocketFd = 3;
constexpr int kPatienceMs = 2000;  // a fork takes a millisecond

[[noreturn]] void become_zygote(const std::vector<std::string>& command, int socket) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
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
  const auto script = options_.runners / "python/zygote.py";
  std::error_code error;
  const auto python = std::filesystem::canonical(options_.python, error);
  if (error || options_.zygote_library.empty() || !std::filesystem::exists(script, error)) return;
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return;
  socket_.reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  const std::vector<std::string> command{python.string(),
                                         "-I",
                                         "-B",
                                         "-u",
                                         script.string(),
                                         options_.zygote_library.string(),
                                         options_.versions_root.string(),
                                         options_.runners.string(),
                                         std::to_string(options_.base_uid)};
  const pid_t pid = raw_fork();
  if (pid == 0) become_zygote(command, theirs.get());
  if (pid > 0) pid_fd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pid_fd_.valid()) socket_.reset();
}

void Zygote::listen() {
  ZygoteReply reply;
  switch (receive_message(socket_.get(), reply, nullptr, false)) {
    case Received::message:
      ready_ = reply.kind == ZygoteReplyKind::ready;
      return;
    case Received::closed: {
      const bool was_ready = ready_;
      end();
      if (was_ready) start();  // one that never was would not be the next time
      return;
    }
    case Received::nothing:
      return;
  }
}

Result<Zygote::Child> Zygote::fork(int slot, int group, const std::vector<std::string>& join_files, int report) {
  ZygoteRequest request{.slot = slot, .into_group = group >= 0 ? 1U : 0U};
  const bool fits = join_files.size() <= kMaxJoinFiles &&
                    std::ranges::all_of(join_files, [](const auto& file) { return file.size() < kPathBytes; });
  if (!fits) return system_failure("naming the sandbox's groups", ENAMETOOLONG);
  for (std::size_t i = 0; i < join_files.size(); ++i) std::ranges::copy(join_files[i], request.join_files[i].begin());
  const std::array<int, 2> fds{report, group};
  pollfd answer{socket_.get(), POLLIN, 0};
  ZygoteReply reply;
  PassedFds passed;
  const bool answered = send_message(socket_.get(), request, std::span(fds).first(group >= 0 ? 2 : 1)) &&
                        ::poll(&answer, 1, kPatienceMs) == 1 &&
                        receive_message(socket_.get(), reply, &passed, false) == Received::message;
  if (answered && reply.kind == ZygoteReplyKind::forked) return Child{reply.pid, std::move(passed[0])};
  if (answered) return system_failure("forking the interpreter", reply.error);
  start();  // it was ready, and has ended or hangs; listen() won't hear of it any more
  return system_failure("asking the interpreter for a fork", EPIPE);
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

}  // namespace infra::worker
