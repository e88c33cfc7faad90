// The worker: takes jobs off the queue, no more than it has slots for, runs each in a warm or new instance of its
// function's version, keeps its lease while it runs, and hands in what came of it. This is how its parts are put
// together, and the order in which they end.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/byte_budget.h"
#include "core/holding.h"
#include "ports/ai_proxy.h"
#include "ports/bundle_reader.h"
#include "ports/clock.h"
#include "ports/code_store.h"
#include "ports/concurrency_limiter.h"
#include "ports/executor.h"
#include "ports/job_queue.h"
#include "ports/live_events.h"
#include "ports/quarantine.h"
#include "ports/settlement.h"
#include "ports/suspect_queue.h"
#include "worker/code/builds.h"
#include "worker/code/unpacked_code.h"
#include "worker/instances/housekeeping.h"
#include "worker/instances/instance_source.h"
#include "worker/instances/keep_warm.h"
#include "worker/instances/ongoing_calls.h"
#include "worker/instances/places.h"
#include "worker/instances/warm_pool.h"
#include "worker/jobs/job_loop.h"
#include "worker/jobs/suspects.h"
#include "worker/tasks/lifecycle.h"
#include "worker/tasks/task_group.h"

namespace infra::worker {

struct WorkerOptions {
  int max_concurrent = 4;  // jobs at once; the blocking pool needs a thread for each
  int processors = 2;      // the machine's
  int memory_budget_mb = 4096;
  milliseconds idle_timeout = std::chrono::minutes(10);
  CodeLimits unpacked{};
  std::string default_model = "llama3:8b";  // for jobs that name none; the contract's default
  std::function<bool()> short_of_memory{};  // asked every second; then one idle instance goes. May be empty
  // The queue is in this process: a job is received on the thread that put it, where its client waits as well.
  bool receive_on_each_thread = false;
  bool others_take_over = false;  // a fleet: a stopping worker gives back jobs that it can't finish, waited for or not
};

struct WorkerDeps {
  JobQueue& queue;
  CodeStore& code;
  const BundleReader& bundles;
  Settlement& settlement;
  sandbox::Launcher& launcher;
  ConcurrencyLimiter& limiter;  // of functions that have a limit of runs at once
  AiProxy* ai;                  // may be null: functions have no AI_ENDPOINT then
  Executor& executor;
  Clock& clock;
  std::filesystem::path versions_root;  // the launcher's too; emptied at start
  WorkerId id;
  // Called for every job that this worker settled, after that. Any event thread; may be empty.
  std::function<void(const JobResult&, const Job&)> on_finished;
  // Called for every instance that is ended for what its last call left behind. Any event thread; may be empty.
  std::function<void(Runtime, Leftover)> on_not_reused{};
  SuspectQueue* suspects = nullptr;           // of the queue; null if it has none
  Quarantine* quarantine = nullptr;           // null: there is none
  std::function<void(const Job&)> on_lost{};  // a run was stopped, because another worker has its job. The same
  std::function<void(const JobResult&, const Job&, const RunTimes&)> on_settled{};  // beside on_finished. The same
  std::function<void(const Job&, milliseconds waited)> on_begun{};                  // a job has its slot. The same
  LiveEvents* live = nullptr;  // told of what runs do meanwhile; null: nobody looks on
};

struct WorkerStatus {
  std::map<Runtime, int> pools;  // idle warm instances
  int active_jobs = 0;
  int waiting_jobs = 0;     // without a slot: for their function's limit, memory or a compiler
  ByteBudget::Use answers;  // large ones
  int capacity = 0;
  double uptime_seconds = 0;
};

class Worker {
 public:
  Worker(WorkerDeps deps, WorkerOptions options);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Works until drain() has ended it; run it once. It returns with nothing of its own left running.
  Task<void> run();

  // Stops starting async jobs: the queue hands none out any more, and one that was on its way is given back. Sync jobs
  // are still run, because their clients hold a connection, unless others take over. Any thread.
  void stop_taking();

  // stop_taking(), then waits for what runs and for sync jobs in the queue until `deadline`, then kills what still
  // runs: an async job is given back, a sync one settled as ERROR (code shutting_down), or given back too if others
  // take over. Returns when run() has; call it once, after run() was started.
  Task<void> drain(SteadyTime deadline);

  // To be told of functions, and asked to make code ready for its first run; any thread, not after drain() has begun to
  // stop.
  [[nodiscard]] KeepWarm& keep_warm() { return keep_warm_; }
  [[nodiscard]] BundlePreparer& preparer() { return code_; }

  [[nodiscard]] WorkerStatus status() const;  // any thread
  void list_holdings(Holdings& into) const;   // the same

 private:
  const WorkerDeps deps_;
  const SteadyTime started_;
  const int capacity_;
  const std::shared_ptr<Signal> ended_;

  ByteBudget frames_;
  Lifecycle lifecycle_;
  TaskGroup tasks_;

  WarmPool pool_;
  Places places_;
  Builds builds_;
  UnpackedCode code_;
  OngoingCalls calls_;
  InstanceSource instances_;
  KeepWarm keep_warm_;
  Housekeeping housekeeping_;

  CallFunction function_;
  GiveBack give_back_;
  RunGate gate_;
  Leases leases_;
  RunJob runs_;
  JobLoop jobs_;
  Suspects suspects_;
  const bool receive_on_each_thread_;
};

}  // namespace infra::worker
