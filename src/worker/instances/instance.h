// One running sandbox with one version of one function in it, call after call; and what each call comes to, in words
// that the function's author understands.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "core/job_result.h"
#include "core/task.h"
#include "ports/ai_proxy.h"
#include "ports/executor.h"
#include "sandbox/launcher.h"
#include "worker/code/unpacked_code.h"
#include "worker/instances/leftovers.h"

namespace infra::worker {

// Instances are interchangeable when these are equal; never otherwise.
struct InstanceKey {
  FunctionId function_id;
  std::string sha256;
  Runtime runtime = Runtime::python;
  int memory_mb = 0;
  Network network = Network::none;
  Environment env{};  // a process reads some of it once, when it begins or loads the code
  auto operator<=>(const InstanceKey&) const = default;
};

struct CallUnderWay;

struct CallSetup {
  std::string model_id;  // never empty
  WallTime deadline;     // what the function is told
  bool alone = false;    // no other call runs: a processor may be kept awake for this one
};

class Instance {
 public:
  // Blocking: starts the sandbox and waits until its runner is ready. `ai` may be null. Fails with `unavailable`.
  static Result<std::shared_ptr<Instance>> start(InstanceKey key, CodeClaim version, sandbox::Launcher& launcher,
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

  // The last call's output files; the folder is empty by now. Once a call.
  [[nodiscard]] sandbox::OutputTree take_output() { return std::exchange(output_, {}); }

  // Blocking: ends its processes and frees its slot, even if the object has other holders. Nothing but key() is called
  // after it.
  void end();
  // Kills it: a running call ends with was_aborted(). Any thread.
  void abort();
  [[nodiscard]] bool was_aborted() const { return interrupted_; }  // the last call was cut off by abort()
  [[nodiscard]] bool reusable() const;                             // another call may be made
  // The last call's leftovers, for which the sandbox is not reusable.
  [[nodiscard]] Leftover left_behind() const { return left_; }

  // For one that waits for its next call: it may give memory back, which takes it a millisecond or two. Does not block.
  void let_rest();
  // The same for one that has rested, or has nothing to give back; its next call thaws it. Does not block. held_mb() is
  // what it holds by then.
  void freeze();
  [[nodiscard]] bool frozen() const { return frozen_; }

  // After a call: what it holds while it waits, and what it took to have it beyond the handler's own time.
  [[nodiscard]] int held_mb() const { return held_mb_; }
  [[nodiscard]] double cold_start_ms() const { return cold_start_ms_; }
  [[nodiscard]] const InstanceKey& key() const { return key_; }

 private:
  Instance(InstanceKey key, CodeClaim version, std::unique_ptr<sandbox::Sandbox> sandbox)
      : key_(std::move(key)), version_(std::move(version)), sandbox_(std::move(sandbox)) {}

  Result<void> load_code(const Job& job, const CallSetup& setup);
  [[nodiscard]] bool can_begin_at_once(const Job& job) const;
  void begin(CallUnderWay& call);
  [[nodiscard]] bool is_answered_at_once(CallUnderWay& call) const;
  [[nodiscard]] bool is_over(CallUnderWay& call) const;
  void finish(CallUnderWay& call);
  void do_all(CallUnderWay& call);
  void conclude(CallUnderWay& call);
  [[nodiscard]] Leftover glance(const sandbox::SandboxState& now) const;
  void judge(const sandbox::SandboxState& now);
  [[nodiscard]] Leftover find_leftover(sandbox::SandboxState now) const;
  [[nodiscard]] int excused_sockets() const;

  const InstanceKey key_;
  const CodeClaim version_;  // keeps the folder
  std::unique_ptr<sandbox::Sandbox> sandbox_;
  std::unique_ptr<AiEndpoint> ai_;
  int held_mb_ = 0;
  double cold_start_ms_ = 0;
  double last_call_ms_ = 0;
  sandbox::OutputTree output_;
  sandbox::SandboxState at_rest_;
  std::int64_t scratch_bytes_ = 0;  // at the end of the last call
  Leftover left_ = Leftover::nothing;
  bool cold_ = true;
  bool started_ = false;  // a compiled program: it has been told to begin
  bool reusable_ = true;
  bool frozen_ = false;
  bool interrupted_ = false;
  std::atomic<bool> aborted_ = false;
};

}  // namespace infra::worker
