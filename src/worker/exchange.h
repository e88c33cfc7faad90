// One question and one answer over a sandbox's control socket, while its output is being read. Blocking: it runs on the
// blocking pool, in real time (a process knows no virtual clock).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "worker/sandbox/launcher.h"

namespace infra::worker {

// What a function printed: the first limits::kMaxOutputBytes, then only the fact that there was more.
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

// Sends `question` (nothing if empty) and waits for the answer, reading output all the while.
[[nodiscard]] Exchange exchange(const SandboxHandles& handles, std::string_view question,
                                std::chrono::steady_clock::time_point deadline);

// Waits for what a runner says first. `unavailable` (code sandbox_failed): `what` did not start, and what was printed.
[[nodiscard]] Result<void> await_ready(const SandboxHandles& handles, std::string_view what);

// Takes what is in the output pipes by now.
void drain_output(const SandboxHandles& handles, Captured& out, Captured& err);

// Whether the runner waits quietly for its next call: it has neither gone nor said anything unasked.
[[nodiscard]] bool is_quiet(const SandboxHandles& handles);

}  // namespace infra::worker
