#include "sandbox/zygote/model_runner.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <string_view>

#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

constexpr int kControlFd = 3;
constexpr int kPatienceMs = 10'000;  // it takes some milliseconds

constexpr std::string_view kCode = R"(def handler(event, context):
    return {"ok": True}
)";

// As the worker writes one (call_frame.h).
constexpr std::string_view kCall =
    R"({"requestId":"01900000-0000-7000-8000-000000000000","functionId":"01900000-0000-7000-8000-000000000001","modelId":"llama3:8b",)"
    R"("memoryMb":128,"deadlineMs":1790000000000,"timeoutMs":300000,"env":{"AI_ENDPOINT":"http://127.0.0.1:40000",)"
    R"("FUNCTION_ID":"01900000-0000-7000-8000-000000000001","JOB_ID":"01900000-0000-7000-8000-000000000000","LLM_MODEL":"llama3:8b",)"
    R"("MEMORY_MB":"128","PAYLOAD":"{}"},"input":{}})";

bool send_call(int socket) {
  const auto size = static_cast<std::uint32_t>(kCall.size());
  return ::send(socket, &size, sizeof size, MSG_NOSIGNAL) == sizeof size &&
         ::send(socket, kCall.data(), kCall.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(kCall.size());
}

Result<void> write_code(const char* path) {
  const UniqueFd file(::open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (::write(file.get(), kCode.data(), kCode.size()) != static_cast<ssize_t>(kCode.size()))
    return system_failure("writing the model's code");
  return {};
}

// A root of its own, of nothing but the workspace and what a runner rehearses with: the paths are to be those that it
// sees.
Result<void> enter_workspace() {
  if (::unshare(CLONE_NEWNS) != 0) return system_failure("making the model's mounts");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("infra", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0755") != 0 || ::chroot("/tmp") != 0 ||
      ::mkdir("/runtime", 0755) != 0 || ::mkdir("/workspace", 0755) != 0 || ::chdir("/workspace") != 0)
    return system_failure("making the model's workspace");
  if (auto written = write_code("/runtime/rehearsal.py"); !written) return written;
  return write_code("/workspace/main.py");
}

}  // namespace

Result<ModelRunner> fork_model_runner() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return system_failure("socketpair");
  ModelRunner model{.control = UniqueFd(ends[0])};
  const UniqueFd theirs(ends[1]);
  if (!send_call(model.control.get())) return system_failure("sending the model's call");
  model.pid = ::fork();  // libc's own, as for every runner
  if (model.pid < 0) return system_failure("forking the model");
  if (model.pid > 0) return model;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ::setsid();
  ::umask(022);
  if (!enter_workspace() || ::dup2(theirs.get(), kControlFd) != kControlFd) ::_exit(1);
  ::fcntl(kControlFd, F_SETFD, 0);
  return model;
}

Result<void> await_model_runner(ModelRunner model) {
  const UniqueFd end(static_cast<int>(::syscall(SYS_pidfd_open, model.pid, 0)));
  pollfd ended{end.get(), POLLIN, 0};
  if (::poll(&ended, 1, kPatienceMs) != 1) ::kill(model.pid, SIGKILL);
  int status = 0;
  if (::waitpid(model.pid, &status, 0) != model.pid || status != 0)
    return system_failure("the model runner did not come to its end", ECHILD);
  return {};
}

}  // namespace infra::sandbox
