// The controller: use cases and HTTP interface over whichever engines it is given.
#pragma once

#include <vector>

#include "adapters/libzip/zip_bundle_reader.h"
#include "adapters/ollama/ollama_model_catalog.h"
#include "app/advise_memory.h"
#include "app/audit.h"
#include "app/deploy_by_name.h"
#include "app/event_feed.h"
#include "app/function_names.h"
#include "app/invoke_function.h"
#include "app/keys.h"
#include "app/read_logs.h"
#include "app/read_series.h"
#include "main/front_door.h"
#include "net/http/http_client.h"
#include "ports/staging.h"

namespace infra {

struct ControllerEngines {
  RateLimiter& limiter;
  ConcurrencyLimiter& concurrency;
  net::HttpClient& http;
  FunctionStore& functions;
  CodeStore& code;
  JobQueue& queue;
  ResultBus& results;
  LogStore& logs;
  RunSeries& series;
  const Quarantine& quarantine;
  ConfigurationStore* configuration;  // null: there is none
  Staging& staging;
  WorkerRegistry& workers;
  app::EventFeed& feed;  // what GET /events shows
  LiveEvents& live;      // the way there for what this controller tells
  std::vector<HealthProbe*> probes;
  std::function<Task<void>()> refresh_workers{};  // before they are listed; may be empty
  std::optional<WorkerId> only_worker{};          // that its queue reaches; none in a fleet
  BundlePreparer* preparer = nullptr;             // the worker beside it, if there is one
  EgressCheck* egress = nullptr;                  // the same
  FunctionObserver* observer = nullptr;           // the same
  std::function<int()> waiting_jobs{};            // at that worker; may be empty
  std::function<ByteBudget::Use()> answers{};     // the same of its large answers
  milliseconds late_writes{0};                    // app::DeployFunction's
};

// Referenced objects must outlive it.
class Controller {
 public:
  Controller(Program& program, ControllerEngines engines);

  [[nodiscard]] FrontDoor& door() { return door_; }

  // Waits for what is in flight until `deadline`, and has those that still wait then told that the platform stops.
  // `between` runs when all are answered, or the time is over.
  Task<void> shut_down(SteadyTime deadline, std::function<Task<void>()> between);

 private:
  Task<GaugeSample> gauges();

  const ControllerEngines engines_;
  Clock& clock_;
  ZipBundleReader bundles_;
  OllamaModelCatalog models_;
  app::KnownKeys known_keys_;
  app::Keys keys_;
  app::Audit audit_;
  app::NameClaims claims_;
  app::FunctionNames names_;
  app::DeployFunction deploy_;
  app::DeployByName deploy_by_name_;
  app::InvokeFunction invoke_;
  app::ReadLogs read_logs_;
  app::ReadOutputFile read_output_file_;
  app::AdviseMemory advise_memory_;
  app::ReadSeries read_series_;
  http::FunctionsHandler functions_handler_;
  http::RunsHandler runs_handler_;
  http::LogsHandler logs_handler_;
  http::AdviceHandler advice_handler_;
  http::SeriesHandler series_handler_;
  http::SystemHandler system_handler_;
  http::KeysHandler keys_handler_;
  http::DashboardHandler dashboard_handler_;
  http::EventsHandler events_handler_;
  FrontDoor door_;
};

}  // namespace infra
