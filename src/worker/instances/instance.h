// One running sandbox with one version of one function in it, call after call; and what each call comes to, in words
// that the function's author understands.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "core/byte_budget.h"
#include "core/job_result.h"
#include "core/task.h"
#include "ports/ai_proxy.h"
#include "ports/clock.h"
#include "ports/executor.h"
#include "ports/live_events.h"
#include "sandbox/launcher.h"
#include "worker/code/unpacked_code.h"
#include "worker/instances/instance_key.h"
#include "worker/instances/instance_state.h"
#include "worker/instances/leftovers.h"

namespace infra::worker {

class Instance;
using InstancePtr = std::shared_ptr<Instance>;

struct CallUnderWay;

struct CallSetup {
  std::string model_id;          // never empty
  WallTime deadline;             // what the function is told
  bool alone = false;            // no other call runs: a processor may be kept awake for this one
  ByteBudget* frames = nullptr;  // what large answers are counted in
  LiveEvents* live = nullptr;    // told of what it prints; null: nobody looks on
};

class Instance {
 public:
  // Blocking: starts the sandbox and waits until its runner is ready. `ai` may be null. Fails with `unavailable`.
  static Result<InstancePtr> start(InstanceKey key, CodeClaim code, sandbox::Launcher& launcher, Clock& clock,
                                   AiProxy* ai);

  // Blocking, for up to the job's timeout; one call at a time. request_id to output and usage are filled in; durations
  // and the worker's name are the caller's.
  [[nodiscard]] JobResult call(const Job& job, const CallSetup& setup);
  // The same for an event thread. What blocks is done on the pool; a warm call that is answered soon has nothing of
  // that, and stays where it is.
  [[nodiscard]] Task<JobResult> call(const Job& job, const CallSetup& setup, Executor& executor);

  // Blocking: loads the code without calling it, where the runtime has something to load, so that the first call is no
  // cold start. `job` has no request. `unusable` with the runner's words if it could not be loaded: then it is not
  // reusable.
  [[nodiscard]] Result<void> load(const Job& job, const CallSetup& setup);

  // After an exception out of a call or a load: it is spoiled for another, and can end.
  void give_up_call();

  // The last call's output files; the folder is empty by now. Once a call.
  [[nodiscard]] sandbox::OutputTree take_output() { return std::exchange(output_, {}); }

  // Blocking: ends its processes and frees its slot, even if the object has other holders. Nothing but key() is called
  // after it.
  void end();
  // Kills it: a running call ends as interrupted. Any thread.
  void abort();
  [[nodiscard]] State state() const { return state_.state(); }
  [[nodiscard]] bool reusable() const;  // another call may be made
  // The last call's leftovers, for which the sandbox is not reusable.
  [[nodiscard]] Leftover leftover() const { return leftover_; }

  // Of an idle one: asks it to give memory back, which takes it a millisecond or two. Does not block.
  void trim();
  // Of one that has been asked, and has had the time for it: its processes stand still until its next call, which thaws
  // it. Does not block. held_mb() is what it holds by then.
  void freeze();

  // After a call: what it holds while it waits, and what it took to have it beyond the handler's own time.
  [[nodiscard]] int held_mb() const { return held_mb_; }
  [[nodiscard]] double cold_start_ms() const { return cold_start_ms_; }
  [[nodiscard]] const InstanceKey& key() const { return key_; }

 private:
  Instance(InstanceKey key, CodeClaim code, std::unique_ptr<sandbox::Sandbox> sandbox, Clock& clock)
      : key_(std::move(key)), code_(std::move(code)), sandbox_(std::move(sandbox)), clock_(clock) {}

  Result<void> load_code(const Job& job, const CallSetup& setup);
  [[nodiscard]] bool can_begin_at_once(const Job& job) const;
  void begin(CallUnderWay& call);
  [[nodiscard]] bool is_answered_at_once(CallUnderWay& call) const;
  [[nodiscard]] bool is_answered_for_good(CallUnderWay& call) const;
  void complete_blocking(CallUnderWay& call);
  void take_answer(CallUnderWay& call);
  void apply_end(CallUnderWay& call);
  [[nodiscard]] Leftover leftover_in(const sandbox::SandboxState& now) const;
  void check_leftovers(CallUnderWay& call);
  [[nodiscard]] Leftover find_leftover(sandbox::SandboxState now) const;
  [[nodiscard]] int excused_sockets() const;
  [[nodiscard]] double ms_since(SteadyTime begun) const;

  const InstanceKey key_;
  const CodeClaim code_;  // keeps the folder
  std::unique_ptr<sandbox::Sandbox> sandbox_;
  Clock& clock_;
  std::unique_ptr<AiEndpoint> ai_;
  InstanceState state_;
  std::atomic<bool> aborted_ = false;  // it is being killed, whatever its state
  int held_mb_ = 0;
  double cold_start_ms_ = 0;
  double last_call_ms_ = 0;
  sandbox::OutputTree output_;
  sandbox::SandboxState at_rest_;
  std::int64_t scratch_bytes_ = 0;  // at the end of the last call
  Leftover leftover_ = Leftover::nothing;
};

}  // namespace infra::worker
