// The worker: takes jobs off the queue, no more than it has slots for, runs each in a warm or new instance of its
// function's version, keeps its lease while it runs, and hands in what came of it.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "ports/ai_proxy.h"
#include "ports/bundle_preparer.h"
#include "ports/bundle_reader.h"
#include "ports/clock.h"
#include "ports/code_store.h"
#include "ports/concurrency_limiter.h"
#include "ports/egress_check.h"
#include "ports/executor.h"
#include "ports/function_observer.h"
#include "ports/job_queue.h"
#include "ports/settlement.h"
#include "worker/code/builds.h"
#include "worker/code/unpacked_code.h"
#include "worker/instances/warm_pool.h"
#include "worker/jobs/run_gate.h"
#include "worker/tasks/condition.h"

namespace infra::worker {

struct WorkerOptions {
  int max_concurrent = 4;  // jobs at once; the blocking pool needs a thread for each
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
};

struct WorkerStatus {
  std::map<Runtime, int> pools;  // idle warm instances
  int active_jobs = 0;
  int waiting_jobs = 0;  // for their function's limit
  int capacity = 0;
  double uptime_seconds = 0;
};

class Worker : public BundlePreparer, public EgressCheck, public FunctionObserver {
 public:
  Worker(WorkerDeps deps, WorkerOptions options);
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

  // The code is there for the function's first run. Any thread; not after drain() has begun to stop.
  Task<Result<void>> prepare(std::filesystem::path bundle, std::string sha256, Runtime runtime) override;
  Task<Result<void>> check_egress() override;  // any thread

  // Superseded and removed instances end at once; instances that a function's keepWarm asks for are started ahead of
  // its calls. To be told what it knows changes nothing. Without being told, a worker of a fleet learns of keepWarm
  // from jobs, and keeps what it has started for them.
  void deployed(const Function& function) override;
  void removed(const FunctionId& id) override;
  // Changes may have been missed: what is kept for jobs goes with the others, unless it is called again. Any thread.
  void changes_missed();

  [[nodiscard]] WorkerStatus status() const;  // any thread

 private:
  enum class Phase : std::uint8_t { running, draining, stopping };

  // The outcome of trying to run a job.
  struct Attempt {
    JobResult result;
    bool interrupted = false;  // killed, or not begun, because the worker stops
    bool retry_later = false;  // an engine is away: the lease is let go, and the queue hands the job out again
    bool hand_on = false;      // the code store is away, no fault of the job's: tried again, then given back
  };

  // A function whose instances are started ahead.
  struct Kept {
    InstanceKey key;
    int count = 0;
    std::int64_t version = 0;
    Job loading;
    int budget = 0;        // starts without a pause
    milliseconds pause{};  // after the last failure
    SteadyTime not_before{};
  };

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] bool can_be_given_back(const Job& job) const {
    return job.mode == RunMode::async || options_.others_take_over;
  }
  Task<void> receive_once();
  Task<void> help_receiving();
  void accept(Delivery delivery);
  Task<void> handle(Delivery delivery, RunGate::TicketPtr ticket);
  Task<bool> process(const Delivery& delivery, const RunGate::TicketPtr& ticket);
  Task<bool> was_settled(const Delivery& delivery);
  Task<void> keep_lease(std::string receipt, std::shared_ptr<Signal> done);
  Task<void> keep_permit(RunGate::TicketPtr ticket, LimitedRun run, std::shared_ptr<Signal> done);
  [[nodiscard]] bool gives_up(const Job& job) const {
    return phase() == Phase::stopping || (phase() == Phase::draining && can_be_given_back(job));
  }
  Task<void> settle(const Delivery& delivery, JobResult result);
  Task<void> give_back(std::string receipt);
  Task<bool> stays_running(milliseconds time);

  Task<Attempt> execute(const Job& job, bool may_retry);
  // `use` is what a cold one is wanted for, on the pool's thread that has started it.
  using Use = std::function<void(const InstancePtr&)>;
  Task<Result<InstancePtr>> obtain_instance(const Job& job, const Use& use);
  Task<Result<InstancePtr>> start_instance(InstanceKey key, const Job& job, const Use& use);
  [[nodiscard]] CallSetup begin_call(const InstancePtr& instance, const Job& job);
  Task<Result<void>> reserve_place(InstanceKey key);
  void release_place(const InstanceKey& key);
  Task<void> finish_instance(InstancePtr instance);
  Task<void> end_instances(std::vector<InstancePtr> instances);
  Task<void> reap_idle();
  [[nodiscard]] bool is_busy() const { return gate_.running() >= processors_; }
  Task<void> rest_idle(bool short_of_memory);
  void learn_from(const Job& job);
  Task<void> start_ahead();
  [[nodiscard]] std::optional<Kept> first_missing(SteadyTime now) const;
  Task<bool> start_one_ahead(Kept kept);
  void note_start(const InstanceKey& key);
  [[nodiscard]] bool is_superseded(const InstanceKey& key) const;
  void note_outcome(const InstanceKey& key, const std::optional<Error>& failure);

  void spawn_counted(Task<void> task);
  Task<void> counted(Task<void> task);
  Task<void> wait_until_idle();

  const WorkerDeps deps_;
  const WorkerOptions options_;
  const SteadyTime started_;
  const int processors_ = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  Builds builds_;
  UnpackedCode code_;
  WarmPool pool_;
  Condition changed_;       // a slot, a place or the phase
  Condition kept_changed_;  // an instance has ended, or a function has changed
  Condition stopping_;      // the phase is `stopping`: who waits for that alone is not woken at every run
  RunGate gate_;

  const std::shared_ptr<Signal> ended_;
  std::atomic<Phase> phase_ = Phase::running;
  std::atomic<int> active_jobs_ = 0;       // accepted and not done with, those that wait for a permit included
  std::atomic<int> helpers_ = 0;           // that receive besides run()
  std::atomic<int> tasks_ = 0;             // spawned coroutines that still use this object
  std::atomic<bool> queue_empty_ = false;  // said by the last receive while draining

  mutable std::mutex mutex_;
  std::set<InstancePtr> calling_;  // instances with a call in them, for stopping
  std::map<FunctionId, Kept> kept_;
};

}  // namespace infra::worker
