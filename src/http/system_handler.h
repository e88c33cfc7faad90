// The platform as the dashboard shows it: its workers, how busy they are, the AI node's models.
#pragma once

#include <functional>

#include "http/route.h"
#include "ports/clock.h"
#include "ports/model_catalog.h"
#include "ports/worker_registry.h"

namespace infra::http {

class SystemHandler {
 public:
  // `refresh` is called before workers are listed, so that one inside this program is listed as it is now; may be
  // empty.
  SystemHandler(WorkerRegistry& workers, ModelCatalog& models, Clock& clock, std::function<Task<void>()> refresh)
      : workers_(workers), models_(models), clock_(clock), started_(clock.steady_now()), refresh_(std::move(refresh)) {}

  Task<Result<net::Response>> heartbeat(Context& context);
  Task<Result<net::Response>> workers(Context& context);
  Task<Result<net::Response>> system_status(Context& context);
  Task<Result<net::Response>> models(Context& context);

 private:
  Task<Result<std::vector<Heartbeat>>> known_workers();

  WorkerRegistry& workers_;
  ModelCatalog& models_;
  Clock& clock_;
  SteadyTime started_;
  std::function<Task<void>()> refresh_;
};

}  // namespace infra::http
