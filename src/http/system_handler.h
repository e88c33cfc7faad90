// The platform as the dashboard shows it: its workers, how busy they are, the AI node's models.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "http/route.h"
#include "ports/clock.h"
#include "ports/model_catalog.h"
#include "ports/worker_registry.h"

namespace infra::http {

class SystemHandler {
 public:
  // `refresh` is called before workers are listed, so that one inside this program is listed as it is now; may be
  // empty. `only_worker`: no other can take jobs, because the queue is in this program; none in a fleet.
  SystemHandler(WorkerRegistry& workers, ModelCatalog& models, Clock& clock, std::function<Task<void>()> refresh,
                std::optional<WorkerId> only_worker)
      : workers_(workers),
        models_(models),
        clock_(clock),
        started_(clock.steady_now()),
        refresh_(std::move(refresh)),
        only_worker_(std::move(only_worker)) {}

  Task<Result<net::Response>> heartbeat(Context& context);
  Task<Result<net::Response>> workers(Context& context);
  Task<Result<net::Response>> system_status(Context& context);
  Task<Result<net::Response>> models(Context& context);

  // Each known worker as workers() shows it.
  Task<Result<std::vector<std::string>>> worker_rows();

 private:
  Task<Result<std::vector<Heartbeat>>> known_workers();
  [[nodiscard]] bool takes_jobs(const WorkerId& worker) const { return !only_worker_ || *only_worker_ == worker; }
  [[nodiscard]] std::string worker_json(const Heartbeat& worker, WallTime now) const;

  WorkerRegistry& workers_;
  ModelCatalog& models_;
  Clock& clock_;
  SteadyTime started_;
  std::function<Task<void>()> refresh_;
  const std::optional<WorkerId> only_worker_;
  std::atomic<bool> warned_ = false;  // of a worker that can take no jobs
};

}  // namespace infra::http
