#include "worker/instances/ongoing_calls.h"

namespace infra::worker {

CallSetup OngoingCalls::begin(const InstancePtr& instance, const Job& job) {
  bool alone = false;
  {
    const MutexLock lock(mutex_);
    calling_.insert(instance);
    alone = calling_.size() == 1;
  }
  if (lifecycle_.phase() == Phase::stopping) instance->abort();  // abort_all() may have looked before it was in the set
  return {.model_id = job.model_id.empty() ? default_model_ : job.model_id,
          .deadline = clock_.now() + job.timeout,
          .alone = alone,
          .frames = &frames_,
          .live = live_};
}

void OngoingCalls::end(const InstancePtr& instance) {
  const MutexLock lock(mutex_);
  calling_.erase(instance);
}

void OngoingCalls::abort_all() {
  const MutexLock lock(mutex_);
  for (const auto& instance : calling_) instance->abort();
}

}  // namespace infra::worker
