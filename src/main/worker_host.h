// A worker with all that it needs around it: the AI proxy, the settlement, its name and its heartbeat. It runs inside
// `infra serve` on one machine, and is `infra worker` in a fleet.
#pragma once

#include <filesystem>
#include <memory>

#include "adapters/libzip/zip_bundle_reader.h"
#include "app/settle_job.h"
#include "main/program.h"
#include "net/http/http_client.h"
#include "ports/worker_registry.h"
#include "worker/launcher_egress_check.h"
#include "worker/launcher_probe.h"
#include "worker/worker.h"

namespace infra {

// Jobs at once, at most: what the event loops' blocking pool must have threads for.
[[nodiscard]] int max_concurrent_jobs(const sandbox::Launcher& launcher, const HostMachine& machine);

// Where unpacked bundles are, which the launcher mounts.
[[nodiscard]] inline std::filesystem::path versions_folder(const std::filesystem::path& data) {
  return data / "versions";
}

// <host name>-<random>: a restart is a new worker.
[[nodiscard]] WorkerId make_worker_id(Program& program);

struct WorkerEngines {
  sandbox::Launcher& launcher;
  net::HttpClient& http;
  JobQueue& queue;
  CodeStore& code;
  SettlementStore& settlements;
  ResultBus& results;
  LogStore& logs;
  ConcurrencyLimiter& limiter;
  std::function<bool(std::uint64_t bytes)> has_room;  // on the disk that code is unpacked on
  Quarantine& quarantine;
  SuspectQueue* suspects = nullptr;  // of the queue; null if it has none
  LiveEvents* live = nullptr;        // told of runs while they happen; null: nobody looks on
};

// Referenced objects must outlive it.
class WorkerHost {
 public:
  // One that is alone on its machine counts runs for the controller beside it, and settles the jobs that no other could
  // run.
  enum class Company : std::uint8_t { alone, fleet };

  WorkerHost(Program& program, WorkerId id, Company company, WorkerEngines engines);

  [[nodiscard]] const WorkerId& id() const { return id_; }
  [[nodiscard]] worker::Worker& worker() { return worker_; }
  [[nodiscard]] EgressCheck& egress_check() { return egress_check_; }
  [[nodiscard]] HealthProbe& probe() { return probe_; }
  [[nodiscard]] int waiting_jobs() const { return worker_.status().waiting_jobs; }  // any thread
  [[nodiscard]] ByteBudget::Use answers() const { return worker_.status().answers; }
  [[nodiscard]] Heartbeat heartbeat(std::string status = "healthy") const;  // any thread

 private:
  const WorkerId id_;
  Clock& clock_;
  ZipBundleReader bundles_;
  const std::unique_ptr<AiProxy> ai_proxy_;
  app::SettleJob settle_;
  worker::Worker worker_;
  worker::LauncherEgressCheck egress_check_;
  worker::LauncherProbe probe_;
};

}  // namespace infra
