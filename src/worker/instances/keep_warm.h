// Functions that ask for waiting instances (keepWarm): these are started before the first call, with their code loaded,
// and again when one has ended.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "core/job.h"
#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/executor.h"
#include "ports/function_observer.h"
#include "worker/instances/instance_source.h"
#include "worker/instances/ongoing_calls.h"
#include "worker/tasks/task_group.h"

namespace infra::worker {

// Any thread. Without being told of a function, a worker of a fleet learns of its keepWarm from jobs, and keeps what it
// has started for them.
class KeepWarm : public FunctionObserver {
 public:
  struct Deps {
    WarmPool& pool;
    Places& places;
    UnpackedCode& code;
    InstanceSource& instances;
    OngoingCalls& calls;
    TaskGroup& tasks;
    const Lifecycle& lifecycle;
    Executor& executor;
    Clock& clock;
    std::function<bool()> short_of_memory;  // nothing is started ahead then. May be empty
  };

  explicit KeepWarm(Deps deps) : deps_(std::move(deps)), changed_(deps_.clock) {}

  // Superseded and removed instances end at once; to be told what it knows changes nothing.
  void deployed(const Function& function) override;
  void removed(const FunctionId& id) override;
  // Changes may have been missed: what is kept for jobs goes with the others, unless it is told of again.
  void changes_missed();

  // Starts what is missing, until the worker drains.
  Task<void> run();
  void notify_all() { changed_.notify_all(); }  // an instance has ended, or the phase has changed

 private:
  struct Kept {
    InstanceKey key;
    int count = 0;
    std::int64_t version = 0;
    Job loading;
    int budget = 0;        // starts without a pause
    milliseconds pause{};  // after the last failure
    SteadyTime not_before{};
  };

  [[nodiscard]] bool learn(const Function& function, const InstanceKey& key);
  [[nodiscard]] std::optional<Kept> first_missing(SteadyTime now) const;
  Task<bool> start_one(Kept kept);
  Task<Result<void>> load(const InstancePtr& instance, const Job& job);
  void note_start(const InstanceKey& key);
  void note_outcome(const InstanceKey& key, const std::optional<Error>& failure);

  const Deps deps_;
  Condition changed_;

  mutable Mutex mutex_;
  std::map<FunctionId, Kept> kept_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra::worker
