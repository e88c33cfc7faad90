// Gives tests a spawner on folders of their own, with a runner that executes what the test sends.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "sandbox/client/sandbox_launcher.h"
#include "sandbox/protocol/version_hash.h"
#include "sandbox/spawner/cgroup_slots.h"
#include "sandbox/spawner/runner_programs.h"
#include "sandbox/system/cgroup_files.h"
#include "sandbox/system/isolation.h"
#include "sandbox/system/message_socket.h"
#include "sandbox/system/privileges.h"

namespace infra::sandbox {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

inline constexpr const char* kPythonRunner = R"(
import os, socket, struct, traceback
def prepare(*_):
    pass
def serve(function, descriptor, wait=None, packages=None):
    control = socket.socket(fileno=descriptor)
    control.sendall(b'R')
    state = {'os': os, 'socket': socket}
    while True:
        head = control.recv(4, socket.MSG_WAITALL)
        if len(head) < 4: break
        if head != bytes(4):
            code = control.recv(struct.unpack('<I', head)[0], socket.MSG_WAITALL).decode()
            os.chdir('/workspace')
            state['out'] = ''
            try: exec(code, state)
            except BaseException as e: state['out'] = f'{type(e).__name__}: {e}'
            text = str(state['out']).encode()
            control.sendall(struct.pack('<I', len(text)) + text)
        if wait: wait(descriptor, head == bytes(4))
if __name__ == '__main__': serve(prepare(), 3)
)";

inline constexpr const char* kNodeRunner = R"(
const net = require('net'), fs = require('fs');
const worker = new (require('worker_threads').Worker)('require("worker_threads").parentPort.postMessage(6*7)', {eval: true});
worker.on('message', function tell(value) {
  const names = fs.readdirSync('/workspace');  // of the version, which is mounted when this may have run for long
  if (names.length === 0) return setTimeout(tell, 2, value);
  fs.writeSync(3, `R${value} ${process.getuid()} ${names} ${Object.keys(process.env)}`);
});
)";

inline std::string version(char digit) {
  return std::string(64, digit);
}

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "sandbox-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());  // 0700, as a data folder is
    fs::create_directories(path_ / "versions");
    for (const char digit : {'a', 'b'}) {
      fs::create_directories(path_ / "versions" / version(digit) / "lib");
      write(path_ / "versions" / version(digit) / "main.py", "original");
      write(path_ / "versions" / version(digit) / "lib" / "deep.py", std::string("deep ") + digit);
    }
    write(path_ / "secret", "secret");
    fs::create_directories(path_ / "runners/python");
    fs::create_directories(path_ / "runners/nodejs");
    write(path_ / "runners/python/runner.py", kPythonRunner);
    write(path_ / "runners/nodejs/runner.js", kNodeRunner);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  // Empty if it can't be read: a process whose file it is may end meanwhile.
  static std::string read(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  [[nodiscard]] const fs::path& path() const { return path_; }
  [[nodiscard]] SpawnerOptions options(int slots) const {
    return {
        .program = INFRA_SPAWNER, .versions_root = path_ / "versions", .runners = path_ / "runners", .slots = slots};
  }

 private:
  fs::path path_;
};

// How long a test waits for what takes a usual machine less than `usual`; an emulated machine says how much slower it
// is.
inline milliseconds patience(milliseconds usual) {
  const char* slowness = std::getenv("INFRA_TEST_SLOWNESS");
  return usual * (slowness == nullptr ? 1 : std::max(1, std::atoi(slowness)));
}

// Reads exactly `size` bytes within ten seconds; short if the peer is gone.
inline std::string read_exactly(int fd, std::size_t size) {
  std::string text(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    pollfd poll_one{fd, POLLIN, 0};
    if (::poll(&poll_one, 1, static_cast<int>(patience(milliseconds(10'000)).count())) != 1) break;
    const ssize_t n = ::read(fd, text.data() + got, size - got);
    if (n <= 0) break;
    got += static_cast<std::size_t>(n);
  }
  text.resize(got);
  return text;
}

inline void send_code(Sandbox& sandbox, const std::string& code) {
  const auto size = static_cast<std::uint32_t>(code.size());
  std::string frame(reinterpret_cast<const char*>(&size), sizeof size);
  frame += code;
  ASSERT_EQ(::send(sandbox.handles().control, frame.data(), frame.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(frame.size()));
}

// What the code left in `out`, or the exception it raised; "(gone)" if the runner died of it.
inline std::string run(Sandbox& sandbox, const std::string& code) {
  send_code(sandbox, code);
  const std::string head = read_exactly(sandbox.handles().control, 4);
  if (head.size() < 4) return "(gone)";
  std::uint32_t size = 0;
  std::memcpy(&size, head.data(), 4);
  return read_exactly(sandbox.handles().control, size);
}

inline bool eventually(const std::function<bool()>& holds) {
  const auto give_up = steady_clock::now() + patience(std::chrono::seconds(10));
  while (!holds()) {
    if (steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

inline std::vector<std::string> slot_groups(const Folder& folder) {
  const std::string tail = "/infra/" + instance_name(fs::canonical(folder.path() / "versions"));
  std::vector<std::string> groups;
  // The program may be further down than the groups are: it moves into a leaf where v2 wants that.
  const auto add = [&](const std::optional<CgroupPlace>& place) {
    if (!place) return;
    for (fs::path base = place->own; base.has_relative_path(); base = base.parent_path()) {
      for (auto& group : child_cgroups(base.string() + tail)) {
        if (fs::path(group).filename().string().starts_with("slot-")) groups.push_back(std::move(group));
      }
      if (base == place->mount) break;
    }
  };
  for (const char* controller : {"memory", "cpu", "cpuacct", "pids"}) add(find_cgroup_v1(controller));
  add(find_cgroup_v2());
  return groups;
}

// Not before Linux 6.12 on v2, where memory.peak can only be read.
inline bool peak_resets(const Folder& folder) {
  return std::ranges::none_of(slot_groups(folder), [](const std::string& group) {
    const auto status = fs::status(group + "/memory.peak");
    return fs::exists(status) && (status.permissions() & fs::perms::owner_write) == fs::perms::none;
  });
}

inline std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), {}));
}

// Host pids of the processes in the slots' groups.
inline std::set<pid_t> sandbox_processes(const Folder& folder) {
  std::set<pid_t> pids;
  for (const auto& group : slot_groups(folder)) {
    for (const pid_t pid : cgroup_processes(group)) pids.insert(pid);
  }
  return pids;
}

class SandboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto possible = check_isolation(); !possible) GTEST_SKIP() << possible.error().message;
    start();
  }
  void start(int slots = 6) { start_with(folder_.options(slots)); }
  void start_with(const SpawnerOptions& options) {
    auto handle = start_spawner(options);
    ASSERT_TRUE(handle) << handle.error().message;
    spawner_pid_ = handle->pid;
    launcher_ = std::make_unique<SandboxLauncher>(std::move(*handle));
  }
  std::unique_ptr<Sandbox> launch(char digit = 'a', int memory_mb = 128) {
    auto sandbox = launcher_->launch({.runtime = Runtime::python, .version = version(digit), .memory_mb = memory_mb});
    if (!sandbox) {
      ADD_FAILURE() << sandbox.error().message;
      return nullptr;
    }
    if (read_exactly((*sandbox)->handles().control, 1) != "R") {
      ADD_FAILURE() << "the runner did not start: " << read_exactly((*sandbox)->handles().stderr_pipe, 2000);
      return nullptr;
    }
    return std::move(*sandbox);
  }

  Folder folder_;
  pid_t spawner_pid_ = -1;
  std::unique_ptr<SandboxLauncher> launcher_;
};

}  // namespace infra::sandbox
