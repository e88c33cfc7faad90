// The instances with a call in them: those that are to be killed when the worker stops.
#pragma once

#include <set>
#include <string>

#include "core/job.h"
#include "core/mutex.h"
#include "ports/clock.h"
#include "worker/instances/instance.h"
#include "worker/tasks/lifecycle.h"

namespace infra::worker {

// Any thread.
class OngoingCalls {
 public:
  // `default_model` is for jobs that name none; `frames` is what large answers are counted in; `live` is told of
  // output, and may be null.
  OngoingCalls(const Clock& clock, const Lifecycle& lifecycle, std::string default_model, ByteBudget& frames,
               LiveEvents* live = nullptr)
      : clock_(clock), lifecycle_(lifecycle), default_model_(std::move(default_model)), frames_(frames), live_(live) {}

  // Right before the call; one that begins while the worker is stopping is cut off at once.
  [[nodiscard]] CallSetup begin(const InstancePtr& instance, const Job& job);
  void end(const InstancePtr& instance);

  void abort_all();  // once the worker is stopping

 private:
  const Clock& clock_;
  const Lifecycle& lifecycle_;
  const std::string default_model_;
  ByteBudget& frames_;
  LiveEvents* const live_;

  Mutex mutex_;
  std::set<InstancePtr> calling_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra::worker
