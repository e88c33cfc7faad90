// One question and one answer over a sandbox's control socket, while its output is being read. Blocking: it runs on the
// blocking pool, and waits by the clock that it is given.
#pragma once

#include <poll.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/byte_budget.h"
#include "ports/clock.h"
#include "ports/live_events.h"
#include "sandbox/launcher.h"
#include "worker/runner/frame_reader.h"
#include "worker/runner/shown_output.h"

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
  broken,  // a frame that can't be one, or is not the one asked for
};

struct Exchange {
  ExchangeEnd end = ExchangeEnd::closed;
  Frame answer;                            // of one that was answered, not yet looked into
  std::optional<Error> refusal;            // of a broken one, where it says more than that
  std::shared_ptr<const ByteClaim> claim;  // what the answer is counted in; null: it is small
  Captured out;
  Captured err;
};

// What is asked for, and who answers for its bytes: a large frame waits unread, and its process with it, until the
// budget has room for it and for what becomes of it.
struct Asked {
  FrameKind kind;
  ByteBudget* budget = nullptr;  // none: only what is small is read
  std::string_view owner{};
  std::uint64_t cost = 1;  // bytes held for each of the frame's
};

// An exchange in steps, for who need not block while the answer is on its way.
class Conversation {
 public:
  // `before` is a frame of its own that goes first, if there is one.
  Conversation(const sandbox::SandboxHandles& handles, Clock& clock, const Asked& asked, std::string_view question,
               std::string_view before = {});

  // As much of the question as goes without waiting; true if that is all of it.
  bool send();
  // Takes the part of the answer that has come, without waiting; true if that is all of it. Output stays where it is.
  bool receive();
  // The same until then, without sleeping: for an answer that comes sooner than a sleeping processor wakes. Other
  // threads have the processor meanwhile. Looks once where the clock stands still meanwhile, as a virtual one does.
  bool watch(SteadyTime until);
  // The answer that has come; finish() gives none after it.
  [[nodiscard]] Frame take_answer() { return reader_.take_frame(); }
  // Goes on to the end. Blocks.
  [[nodiscard]] Exchange finish(SteadyTime deadline);
  // After it, into what it gave: what has been printed since.
  void drain_rest(Exchange& talk);
  // From now on what is printed is told, line by line, as it is read. Before the question is sent.
  void show_output(LiveEvents& live, const FunctionId& function, const RequestId& request);

 private:
  void end(ExchangeEnd how);
  void refuse(Error why);
  void take_output();
  void pause_if_discarding();
  void send_some();
  void receive_some();
  void take(std::string_view bytes);
  void claim_room();
  [[nodiscard]] bool waits_for_room();
  [[nodiscard]] SteadyTime give_up_at(SteadyTime deadline) const;

  const sandbox::SandboxHandles& handles_;
  Clock& clock_;
  const Asked asked_;
  const std::string outgoing_;
  std::size_t sent_ = 0;
  FrameReader reader_;
  sandbox::UniqueFd room_;                  // readable once the claim is granted
  std::shared_ptr<const ByteClaim> claim_;  // goes first: it writes there
  bool reading_large_ = false;
  SteadyTime due_;  // for the rest of a large frame
  std::array<pollfd, 4> polled_{};
  Exchange result_;
  std::unique_ptr<ShownOutput> shown_;  // null: nobody looks on
  bool ended_ = false;
};

// Sends `question` (nothing if empty) and waits for the answer, reading output all the while.
[[nodiscard]] Exchange exchange(const sandbox::SandboxHandles& handles, Clock& clock, const Asked& asked,
                                std::string_view question, SteadyTime deadline);

// Waits for what a runner says first. `unavailable` (code sandbox_failed): `what` did not start, and what was printed.
[[nodiscard]] Result<void> await_ready(const sandbox::SandboxHandles& handles, Clock& clock, std::string_view what);

// Takes the output that is in the pipes by now, and hardly more, however fast the function writes on.
void drain_output(const sandbox::SandboxHandles& handles, Captured& out, Captured& err);

// Tells a Python runner that it is idle, and may give memory back: an empty frame, which has no answer.
void ask_to_trim(const sandbox::SandboxHandles& handles);

// Whether the runner waits quietly for its next call: it has neither gone nor said anything unasked.
[[nodiscard]] bool is_quiet(const sandbox::SandboxHandles& handles);

}  // namespace infra::worker
