// The live workers of a platform of one program: each worker's last heartbeat, and its time.
#pragma once

#include <map>

#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/worker_registry.h"

namespace infra {

class MemoryWorkerRegistry final : public WorkerRegistry {
 public:
  static constexpr std::chrono::seconds kSilence{30};

  explicit MemoryWorkerRegistry(const Clock& clock) : clock_(clock) {}
  Task<Result<void>> record(const Heartbeat& heartbeat) override;
  Task<Result<std::vector<Heartbeat>>> list() override;

 private:
  struct Heard {
    Heartbeat heartbeat;
    SteadyTime at;  // ours: the wall clock, and the worker's own, may jump
  };
  void drop_silent(SteadyTime now) INFRA_REQUIRES(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  std::map<WorkerId, Heard> workers_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra
