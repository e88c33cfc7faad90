// One question and one answer over a sandbox's control socket, while its output is being read. Blocking: it runs on the
// blocking pool, in real time (a process knows no virtual clock).
#pragma once

#include <poll.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "sandbox/launcher.h"

namespace infra::worker {

// A function's output: the first limits::kMaxOutputBytes, then only the fact that there was more.
struct Captured {
  std::string text;
  bool cut = false;
  void append(std::string_view part);
  [[nodiscard]] std::string take();  // with a note where it was cut
};

enum class ExchangeEnd : std::uint8_t {
  answered,
  timed_out,
  closed,  // the runner is gone, or closed its end
  broken,  // a frame that can't be one
};

struct Exchange {
  ExchangeEnd end = ExchangeEnd::closed;
  std::string answer;  // a whole frame's JSON text, not yet looked into
  Captured out;
  Captured err;
};

// An exchange in steps, for who need not block while the answer is on its way.
class Conversation {
 public:
  // `before` is a frame of its own that goes first, if there is one.
  Conversation(const sandbox::SandboxHandles& handles, std::string_view question, std::string_view before = {});

  // As much of the question as goes without waiting; true if that is all of it.
  bool send();
  // Takes the part of the answer that has come, without waiting; true if that is all of it. Output stays where it is.
  bool receive();
  // The same until then, without sleeping: for an answer that comes sooner than a sleeping processor wakes. Other
  // threads have the processor meanwhile.
  bool watch(std::chrono::steady_clock::time_point until);
  [[nodiscard]] const std::string& answer() const { return result_.answer; }
  // Goes on to the end. Blocks.
  [[nodiscard]] Exchange finish(std::chrono::steady_clock::time_point deadline);

 private:
  void end(ExchangeEnd how);
  void take_output();
  void pause_if_discarding();
  void send_some();
  void receive_some();

  const sandbox::SandboxHandles& handles_;
  const std::string outgoing_;
  std::size_t sent_ = 0;
  std::string incoming_;
  std::array<pollfd, 3> polled_{};
  Exchange result_;
  bool ended_ = false;
};

// Sends `question` (nothing if empty) and waits for the answer, reading output all the while.
[[nodiscard]] Exchange exchange(const sandbox::SandboxHandles& handles, std::string_view question,
                                std::chrono::steady_clock::time_point deadline);

// Waits for what a runner says first. `unavailable` (code sandbox_failed): `what` did not start, and what was printed.
[[nodiscard]] Result<void> await_ready(const sandbox::SandboxHandles& handles, std::string_view what);

// Takes the output that is in the pipes by now, and hardly more, however fast the function writes on.
void drain_output(const sandbox::SandboxHandles& handles, Captured& out, Captured& err);

// Tells a Python runner that it is idle, and may give memory back: an empty frame, which has no answer.
void ask_to_trim(const sandbox::SandboxHandles& handles);

// Whether the runner waits quietly for its next call: it has neither gone nor said anything unasked.
[[nodiscard]] bool is_quiet(const sandbox::SandboxHandles& handles);

}  // namespace infra::worker
