// How a fleet's worker tells that it lives: into Redis, where every controller sees it, and to the controller that
// CONTROLLER_URL names, which may be a reference platform's.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "main/config.h"
#include "net/http/http_client.h"
#include "ports/clock.h"
#include "ports/worker_registry.h"

namespace infra {

class Heartbeats {
 public:
  static constexpr std::chrono::seconds kInterval{2};  // silent for 30 s is gone

  // Referenced objects must outlive beat_on(). `now` gives the heartbeat of the moment.
  Heartbeats(const Config& config, WorkerRegistry& registry, net::HttpClient& http, Clock& clock,
             std::function<Heartbeat()> now);

  // Until stop(); one that fails is logged when it fails otherwise than the one before, and the next is due in its
  // time.
  Task<void> beat_on();
  Task<void> beat();
  void stop();  // any thread

 private:
  Task<Result<void>> post(Heartbeat beat);
  // `told` is what was last said of it; empty while heartbeats arrive.
  void note(std::string& told, const Result<void>& done, std::string_view where);

  const Config& config_;
  WorkerRegistry& registry_;
  net::HttpClient& http_;
  Clock& clock_;
  const std::function<Heartbeat()> now_;
  const std::shared_ptr<Signal> stopped_;
  std::mutex mutex_;
  std::string registry_told_;
  std::string controller_told_;
};

}  // namespace infra
