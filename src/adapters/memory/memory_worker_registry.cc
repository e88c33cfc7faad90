#include "adapters/memory/memory_worker_registry.h"

namespace infra {

Task<Result<void>> MemoryWorkerRegistry::record(const Heartbeat& heartbeat) {
  const MutexLock lock(mutex_);
  const SteadyTime now = clock_.steady_now();
  if (!workers_.contains(heartbeat.worker_id) && workers_.size() >= kMostWorkers) {
    drop_silent(now);
    if (workers_.size() >= kMostWorkers) co_return fail(too_many_workers());
  }
  workers_.insert_or_assign(heartbeat.worker_id, Heard{heartbeat, now});
  co_return Result<void>{};
}

Task<Result<std::vector<Heartbeat>>> MemoryWorkerRegistry::list() {
  const MutexLock lock(mutex_);
  drop_silent(clock_.steady_now());
  std::vector<Heartbeat> alive;
  for (const auto& [id, heard] : workers_) alive.push_back(heard.heartbeat);
  co_return alive;
}

void MemoryWorkerRegistry::drop_silent(SteadyTime now) {
  std::erase_if(workers_, [&](const auto& worker) { return now - worker.second.at > kSilence; });
}

}  // namespace infra
