// The interpreter that Python's runners are forked from: it has the runner and the common modules loaded, so that a
// sandbox's runner costs a fork instead of an interpreter's start. It is privileged and runs no function's code.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "sandbox/protocol/spawner_options.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

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
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] bool alive() const { return socket_.valid(); }
  [[nodiscard]] bool starting() const { return alive() && !ready_; }
  [[nodiscard]] bool owes_nothing() const { return asked_.empty(); }
  [[nodiscard]] int forks() const { return forks_; }  // that it was asked for
  [[nodiscard]] std::chrono::steady_clock::time_point started() const { return started_; }

  // It ends of its own accord, which takes a moment: has_ended() says when nothing is left to wait for.
  void dismiss();
  [[nodiscard]] bool has_ended() const;

  // Asks for a runner in the sandbox of `init` (a pidfd); `fds` are those of its `built` report. False without a
  // zygote.
  bool ask(std::uint64_t sandbox, int init, std::span<const UniqueFd> fds, const std::vector<std::string>& join_files);

  struct Answer {
    std::uint64_t sandbox = 0;
    pid_t runner = -1;  // as the sandbox counts; -1: there is none, and none will come
  };
  // The answers on its socket; or it was silent for too long. A zygote that has ended or hangs is started anew; its
  // open requests are answered with no runner.
  [[nodiscard]] std::vector<Answer> listen();
  // When listen() is to be called at the latest; -1: when the socket says something.
  [[nodiscard]] int patience_ms() const;

 private:
  struct Asked {
    std::uint64_t sandbox = 0;
    std::chrono::steady_clock::time_point since;
  };
  void end();
  void give_up_asked(std::vector<Answer>& answers);

  const SpawnerOptions& options_;
  UniqueFd socket_;
  UniqueFd pid_fd_;
  bool ready_ = false;
  int forks_ = 0;
  std::chrono::steady_clock::time_point started_;
  std::deque<Asked> asked_;  // it answers in this order
};

}  // namespace infra::sandbox
