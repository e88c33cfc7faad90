// The live workers: they tell it, the dashboard and the controllers ask it. Engines: in process, Redis.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/error_codes.h"
#include "core/ids.h"
#include "core/runtime.h"
#include "core/task.h"
#include "core/time.h"

namespace infra {

[[nodiscard]] inline std::map<std::string, int> no_instances() {
  std::map<std::string, int> pools;
  for (const auto& runtime : kRuntimes) pools.emplace(runtime.name, 0);
  return pools;
}

struct Heartbeat {
  WorkerId worker_id;
  std::string status = "healthy";
  std::map<std::string, int> pools = no_instances();  // warm ones, by the name of each runtime
  int active_jobs = 0;
  double uptime_seconds = 0;
  std::string timestamp;  // as the worker wrote it
  WallTime received_at;
};

inline constexpr std::size_t kMostWorkers = 1000;

[[nodiscard]] inline Error too_many_workers() {
  return {errors::too_many_workers,
          "1000 other workers were heard of in the last 30 s, as many as are kept account of.",
          std::chrono::seconds{30}};
}

// Every method may be called from any event thread.
class WorkerRegistry {
 public:
  virtual ~WorkerRegistry() = default;
  // `unavailable` (code too_many_workers) if kMostWorkers others are alive.
  virtual Task<Result<void>> record(const Heartbeat& heartbeat) = 0;
  // Those heard of within the last 30 s, by id.
  virtual Task<Result<std::vector<Heartbeat>>> list() = 0;
};

}  // namespace infra
