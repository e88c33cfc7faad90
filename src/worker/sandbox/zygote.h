// The interpreter that Python's runners are forked from: it has the runner compiled and the common modules loaded, so
// that a sandbox's runner costs a fork instead of an interpreter's start. It is privileged and runs nobody's code.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/error.h"
#include "worker/sandbox/spawner.h"
#include "worker/sandbox/unique_fd.h"

namespace infra::worker {

// The spawner's side. Single-threaded.
class Zygote {
 public:
  explicit Zygote(const SpawnerOptions& options) : options_(options) {}
  ~Zygote();
  Zygote(const Zygote&) = delete;
  Zygote& operator=(const Zygote&) = delete;

  // Starts it, if there is a library to start it with; it is ready when it says so, a moment later.
  void start();
  [[nodiscard]] int socket() const { return socket_.get(); }  // to wait for; -1 without a zygote
  // Its socket has something to say: it is ready, or it has ended. One that has ended is started anew.
  void listen();
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] bool starting() const { return socket_.valid() && !ready_; }

  struct Child {
    pid_t pid = -1;  // this process's own child
    UniqueFd pid_fd;
  };
  // A new sandbox's init, which reports on `report`. `group`: for CLONE_INTO_CGROUP, or -1. After a failure there is no
  // zygote any more.
  [[nodiscard]] Result<Child> fork(int slot, int group, const std::vector<std::string>& join_files, int report);

 private:
  void end();

  const SpawnerOptions& options_;
  UniqueFd socket_;
  UniqueFd pid_fd_;
  bool ready_ = false;
};

}  // namespace infra::worker
