// The live workers of a fleet: every worker's last heartbeat, where every controller sees it. Workers of the reference
// platform are listed too, by the status that they keep in Redis.
#pragma once

#include <atomic>

#include "net/redis/redis_client.h"
#include "ports/clock.h"
#include "ports/worker_registry.h"

namespace infra {

// One hash, infra:workers; each field a worker's id, each value its heartbeat as JSON. When it came and how long ago
// that is, is told by Redis' clock alone.
class RedisWorkerRegistry final : public WorkerRegistry {
 public:
  static constexpr std::chrono::seconds kSilence{30};
  static constexpr std::chrono::minutes kHeardOf{5};

  RedisWorkerRegistry(net::RedisClient& redis, Clock& clock);

  Task<Result<void>> record(const Heartbeat& heartbeat) override;
  Task<Result<std::vector<Heartbeat>>> list() override;

  // A reference worker was heard of: some write no status and tell by nothing else that they live. Any thread.
  void note_reference_worker() { reference_heard_ = clock_.steady_now(); }
  // Whether a reference worker's status was there when that was last looked at, by list(), or every 2 s by watch(), or
  // one was heard of in the last five minutes. Any thread.
  [[nodiscard]] bool reference_worker_alive() const;
  // Until the program ends.
  Task<void> watch();

 private:
  Task<Result<std::optional<Heartbeat>>> reference_worker();

  net::RedisClient& redis_;
  Clock& clock_;
  std::atomic<bool> reference_alive_ = false;
  std::atomic<SteadyTime> reference_heard_ = SteadyTime::min();
};

}  // namespace infra
