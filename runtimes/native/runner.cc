// Runs one version of a C++ or Go function inside its sandbox (docs/runner-protocol.md). A program that speaks the
// protocol itself is given the socket and takes this process's place; any other is run once a call.
#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "call.h"

namespace {

using infra::native::Call;
using infra::native::Environment;

constexpr int kControl = 3;
constexpr std::size_t kMaxFrame = 32 * 1024 * 1024;
constexpr std::size_t kHeader = 4;
constexpr std::string_view kPayload = "PAYLOAD=";

// The worker leaves these in the folder (src/worker/code/executables.h).
constexpr const char* kBuilt = ".infra/main";
constexpr const char* kReady = "main";
constexpr const char* kWarmMark = ".infra/warm";

std::string variable(const char* name, const char* usual) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : usual;
}

// A launcher that can't mount /tmp and /output says where they are instead.
struct Folders {
  std::string temporary = variable("TMPDIR", "/tmp");
  std::string output = variable("OUTPUT_DIR", "/output");
};

Environment base_environment(const Folders& folders) {
  return {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + folders.temporary,
          "TMPDIR=" + folders.temporary, "OUTPUT_DIR=" + folders.output};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

const char* program() {
  return access(kBuilt, F_OK) == 0 ? kBuilt : kReady;
}

bool read_exactly(char* into, std::size_t size) {
  while (size > 0) {
    const ssize_t count = read(kControl, into, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    into += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool read_frame(std::string& body) {
  unsigned char head[kHeader];
  if (!read_exactly(reinterpret_cast<char*>(head), kHeader)) return false;
  std::size_t size = 0;
  for (std::size_t i = 0; i < kHeader; ++i) size |= std::size_t{head[i]} << (8 * i);
  if (size > kMaxFrame) return false;
  body.resize(size);
  return read_exactly(body.data(), size);
}

bool write_frame(std::string_view body) {
  std::string frame;
  for (std::size_t i = 0; i < kHeader; ++i) frame += static_cast<char>((body.size() >> (8 * i)) & 0xff);
  return write_all(kControl, frame.append(body));
}

double now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

std::string start_failure(const char* path, int error) {
  std::string why = std::strerror(error);
  if (error == ENOENT && access(path, F_OK) == 0)
    why = "the loader or a library that it needs is not here; link it statically";
  return "The program could not be started: " + why + ".";
}

// `members` is an object.
std::string answer_to(const Call& call, const std::string& members) {
  return R"({"requestId":)" + infra::native::quoted(call.request_id) + "," + members.substr(1);
}

std::string not_loaded(const std::string& message) {
  return R"({"ok":false,"code":"import_error","message":)" + infra::native::quoted(message) + "}";
}

// The input in a file of its own, where one environment variable can't hold it.
class PayloadFile {
 public:
  PayloadFile(const Folders& folders, const Call& call)
      : path_(folders.temporary + "/payload-" + call.request_id + ".json") {
    const int file = open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    written_ = file >= 0 && write_all(file, call.input);
    if (file >= 0) close(file);
  }
  ~PayloadFile() { unlink(path_.c_str()); }
  PayloadFile(const PayloadFile&) = delete;
  PayloadFile& operator=(const PayloadFile&) = delete;
  bool written() const { return written_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool written_ = false;
};

class Runner {
 public:
  // Processes that a program leaves behind become this one's children, where they are seen.
  Runner() { prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

  void serve() {
    std::string frame;
    while (read_frame(frame)) {
      const auto call = infra::native::read_call(frame);
      if (!call || !write_frame(answer_to(*call, run(*call)))) return;
    }
  }

 private:
  std::string run(const Call& call) {
    auto environment = base_environment(folders_);
    environment.insert(environment.end(), call.env.begin(), call.env.end());
    bool has_payload = false;
    for (const auto& variable : call.env) has_payload = has_payload || variable.starts_with(kPayload);
    std::optional<PayloadFile> file;
    if (!has_payload) {
      file.emplace(folders_, call);
      if (!file->written()) return not_loaded("The input could not be written to " + file->path() + ".");
      environment.push_back("PAYLOAD_FILE=" + file->path());
    }
    return run_program(environment);
  }

  static std::string run_program(std::vector<std::string>& environment) {
    const char* path = program();
    std::vector<std::string> arguments = {path};
    const double started = now_ms();
    pid_t child = 0;
    if (const int error =
            posix_spawn(&child, path, nullptr, nullptr, pointers(arguments).data(), pointers(environment).data());
        error != 0) {
      return not_loaded(start_failure(path, error));
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    const double took = now_ms() - started;
    char answer[128];
    // With what is left of a call still running, the next one must have another sandbox.
    std::snprintf(answer, sizeof answer, R"({"ok":true,"plain":true,"exitCode":%d,"handlerMs":%.3f,"reusable":%s})",
                  WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), took,
                  has_children() ? "false" : "true");
    return answer;
  }

  static bool has_children() {
    while (true) {
      const pid_t ended = waitpid(-1, nullptr, WNOHANG);
      if (ended < 0 && errno == EINTR) continue;
      if (ended <= 0) return ended == 0;
    }
  }

  Folders folders_;
};

// The runner may wait long before anybody knows which function it is for; that one's code is mounted over this folder
// then. A start comes with the first call and not before, so what the program prints from its first instruction on is
// that call's.
std::optional<Environment> await_start() {
  std::string frame;
  char folder[4096];
  if (!read_frame(frame) || getcwd(folder, sizeof folder) == nullptr || chdir(folder) != 0) return std::nullopt;
  return infra::native::read_start(frame);
}

// Does not return if the program takes over. A runtime reads some variables once, before any call (GOMEMLIMIT, TZ): the
// function's own are there when it begins.
void become_program(const Environment& own) {
  auto environment = base_environment(Folders());
  environment.insert(environment.end(), own.begin(), own.end());
  const char* path = program();
  std::vector<std::string> arguments = {path};
  execve(path, pointers(arguments).data(), pointers(environment).data());
  const std::string why = start_failure(path, errno);
  std::string frame;
  while (read_frame(frame)) {
    const auto call = infra::native::read_call(frame);
    if (!call || !write_frame(answer_to(*call, not_loaded(why)))) return;
  }
}

}  // namespace

int main() {
  if (!write_frame(R"({"ready":true})")) return 1;
  const auto start = await_start();
  if (!start) return 1;
  if (access(kWarmMark, F_OK) == 0) {
    become_program(*start);
    return 0;
  }
  fcntl(kControl, F_SETFD, FD_CLOEXEC);
  Runner().serve();
  return 0;
}
