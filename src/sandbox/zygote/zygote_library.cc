// What zygote.py calls: it forks itself into a sandbox that is otherwise ready, and comes back in the process that is
// that sandbox's runner. A library, because the interpreter has to be the one that is forked.
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/inside/sandbox_process.h"
#include "sandbox/protocol/zygote_protocol.h"
#include "sandbox/system/message_socket.h"
#include "sandbox/system/system_error.h"
#include "sandbox/zygote/fork_thrift.h"
#include "sandbox/zygote/memory_image.h"
#include "sandbox/zygote/model_runner.h"

namespace infra::sandbox {
namespace {

constexpr int kSocketFd = 3;
// Forked before the zygote says that it is ready, the last of them for the memory image: what an interpreter does for
// the first time it does differently.
constexpr int kModels = 2;

// What the interpreter wants to be told of a fork.
struct PythonForkCalls {
  using Call = void (*)();
  Call before = nullptr;
  Call in_child = nullptr;
  Call in_parent = nullptr;

  bool find() {
    before = reinterpret_cast<Call>(::dlsym(RTLD_DEFAULT, "PyOS_BeforeFork"));
    in_child = reinterpret_cast<Call>(::dlsym(RTLD_DEFAULT, "PyOS_AfterFork_Child"));
    in_parent = reinterpret_cast<Call>(::dlsym(RTLD_DEFAULT, "PyOS_AfterFork_Parent"));
    return before != nullptr && in_child != nullptr && in_parent != nullptr;
  }
};

struct State {
  SeccompProgram seccomp;
  ZygoteRequest request;
  PassedFds fds;
  pid_t runner = -1;  // as its sandbox counts
  int models_left = kModels;
  PythonForkCalls python;
  bool is_model = false;
  bool told = false;  // the spawner, that it is ready
};
State& state() {
  static State kept;
  return kept;
}

std::vector<std::string> join_files(const ZygoteRequest& request) {
  std::vector<std::string> files;
  for (const auto& file : request.join_files) {
    if (file[0] != '\0') files.emplace_back(file.data());
  }
  return files;
}

// In the new process: all that is the zygote's goes.
Result<void> become_runner(const ZygoteRequest& request, PassedFds& fds) {
  const UniqueFd init = std::move(fds[0]);
  const UniqueFd user_namespace = std::move(fds[1]);
  const RunnerStreams streams{.control = std::move(fds[2]), .out = std::move(fds[3]), .err = std::move(fds[4])};
  // The groups first, which can't be seen from inside. No part of this is on the zygote's own time.
  if (auto joined = join_groups(join_files(request)); !joined) return joined;
  if (::setns(init.get(), CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0)
    return system_failure("entering the sandbox");
  ::setsid();
  ::umask(022);
  if (::setgroups(0, nullptr) != 0) return system_failure("giving up supplementary groups");
  if (auto given_up = give_up_privileges(state().seccomp, user_namespace, SandboxRole::runner); !given_up)
    return given_up;
  int no_note = -1;
  if (auto arranged = arrange_descriptors(streams, no_note); !arranged) return arranged;
  if (::chdir("/workspace") != 0) return system_failure("entering the workspace");
  return {};  // the owners above close numbers that are closed already
}

// True in the runner. The process between is one of the sandbox's, so that the runner passes to the sandbox's init
// when it ends, which it has by the time that this returns. It borrows the zygote's memory; the copy is made once.
// libc's own fork(), because the runner goes on and has to know that it is another process by now.
[[gnu::noinline]] bool fork_runner(const UniqueFd& init) {
  state().runner = -1;
  if (::setns(init.get(), CLONE_NEWPID) != 0) return false;  // of children
  const pid_t between = ::vfork();                           // NOLINT: what it does until it ends is meant so
  if (between == 0) {
    const pid_t runner = ::fork();
    if (runner == 0) return true;
    state().runner = runner;
    ::_exit(0);
  }
  if (between > 0) ::waitpid(between, nullptr, 0);
  return false;
}

// Away from descriptor 3, as runner.py does it where it is not forked. Gives its new number.
int take_control_socket() {
  constexpr int kRunnerSocketFd = 3;
  for (const int lowest : {60, 4}) {  // the limit on open files may be low
    const int moved = ::fcntl(kRunnerSocketFd, F_DUPFD_CLOEXEC, lowest);
    if (moved < 0) continue;
    ::close(kRunnerSocketFd);
    return moved;
  }
  ::_exit(127);
}

// In what has just been forked: the interpreter goes on in it. Gives the control socket's number.
int go_on_in_child() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);  // the zygote blocks some (zygote.cc)
  const int control = take_control_socket();
  state().python.in_child();
  return control;
}

// Unless whoever reads it has stalled: every Python function would wait with it.
void say(const std::string& what) {
  const std::string line = "infra: " + what + "\n";
  pollfd writable{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (::poll(&writable, 1, 0) == 1) (void)!::write(STDERR_FILENO, line.data(), line.size());
}

// True in the model.
Result<bool> run_model(bool is_last) {
  if (is_last) {
    if (auto planned = memory_image::plan(); !planned) return fail(planned.error());
  }
  auto model = fork_model_runner();
  if (!model) return fail(model.error());
  if (model->pid == 0) return true;
  if (auto ended = await_model_runner(std::move(*model)); !ended) return fail(ended.error());
  if (is_last) {
    if (auto adopted = memory_image::adopt(); !adopted) return fail(adopted.error());
  }
  return false;
}

// True in the model. Without an image runners work as well, each with its own pages.
bool fork_model() {
  const bool is_last = --state().models_left == 0;
  const auto ran = run_model(is_last);
  if (!ran) {
    state().models_left = 0;
    say("Python's runners share less memory than they could: " + ran.error().message);
  }
  state().is_model = ran && *ran;
  return state().is_model;
}

// An empty frame: the worker has nothing to ask for now. Taken, if it is there.
bool take_leave_to_rest(int control) {
  std::uint32_t size = 1;
  return ::recv(control, &size, sizeof size, MSG_PEEK | MSG_DONTWAIT) == sizeof size && size == 0 &&
         ::recv(control, &size, sizeof size, MSG_DONTWAIT) == sizeof size;
}

// Returns when the control socket has something, or a signal is there for a handler. No handler may see or write to
// memory that is given back: signals wait, and are looked for like the socket.
void rest_until_called(int control) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  sigset_t awaited;
  sigemptyset(&awaited);
  for (int signal = 1; signal < NSIG; ++signal) {
    if (sigismember(&before, signal) == 0) sigaddset(&awaited, signal);
  }
  const UniqueFd signals(::signalfd(-1, &awaited, SFD_CLOEXEC));
  IdlePages rest;
  if (signals.valid()) memory_image::begin_rest(rest);
  // Here, because the interpreter would write to many pages on its way back.
  std::array<pollfd, 2> awake{pollfd{control, POLLIN, 0}, pollfd{signals.get(), POLLIN, 0}};
  ::ppoll(awake.data(), awake.size(), nullptr, signals.valid() ? nullptr : &before);
  rest.end();
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace infra::sandbox

using namespace infra::sandbox;  // NOLINT: the functions below have C's names

extern "C" {

// 0 when it can fork.
__attribute__((visibility("default"))) int infra_zygote_open() {
  State& own = state();
  auto seccomp = compile_seccomp_filter();
  if (!seccomp || !own.python.find()) return -1;
  own.seccomp = std::move(*seccomp);
  join_libraries();
  settle_heap(reinterpret_cast<ObjectAllocator>(::dlsym(RTLD_DEFAULT, "PyObject_Malloc")));
  return 0;
}

// In a runner after a call: returns when the control socket has a call, or a signal has come. When the worker says that
// there is time, which `may_rest` says that it has done, the pages that other runners have too are given back. Other
// threads run meanwhile.
__attribute__((visibility("default"))) void infra_zygote_wait(int control, int may_rest) {
  if (state().is_model) ::_exit(memory_image::capture() ? 0 : 1);
  pollfd call{control, POLLIN, 0};
  if (may_rest != 0) rest_until_called(control);
  while (::poll(&call, 1, -1) > 0 && take_leave_to_rest(control)) rest_until_called(control);
}

// 1 if a runner is to be forked: a model, without being asked; else it waits for a request. 0 when the spawner has
// gone.
__attribute__((visibility("default"))) int infra_zygote_receive() {
  State& own = state();
  if (own.models_left > 0) return 1;
  if (!own.told && !send_message(kSocketFd, ZygoteReply{.kind = ZygoteReplyKind::ready})) return 0;
  own.told = true;
  return receive_message(kSocketFd, own.request, &own.fds) == Received::message ? 1 : 0;
}

// 0 in the zygote; in the runner, or the model, its control socket.
__attribute__((visibility("default"))) int infra_zygote_fork() {
  State& own = state();
  own.python.before();
  if (own.models_left > 0) {
    if (fork_model()) return go_on_in_child();
    own.python.in_parent();
    return 0;
  }
  if (fork_runner(own.fds[0])) {
    if (auto became = become_runner(own.request, own.fds); !became) {
      say("a Python runner could not be started: " + became.error().message);
      ::_exit(127);
    }
    return go_on_in_child();
  }
  own.python.in_parent();
  const ZygoteReply reply{.kind = own.runner > 0 ? ZygoteReplyKind::forked : ZygoteReplyKind::failed,
                          .runner = own.runner,
                          .sandbox = own.request.sandbox};
  send_message(kSocketFd, reply);
  own.fds = {};
  return 0;
}
}
