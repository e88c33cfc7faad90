// How a fleet's worker tells that it lives: into Redis, where every controller sees it, and to the controller that
// CONTROLLER_URL names, which may be a reference platform's.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "main/config.h"
#include "net/http_client.h"
#include "ports/clock.h"
#include "ports/worker_registry.h"

namespace infra {

class Heartbeats {
 public:
  static constexpr std::chrono::seconds kInterval{2};  // silent for 30 s is gone

  // What is referred to must outlive beat_on(). `now` gives the heartbeat of the moment.
  Heartbeats(const Config& config, WorkerRegistry& registry, net::HttpClient& http, Clock& clock,
             std::function<Heartbeat()> now);

  // Until stop(); one that fails is logged when it is the first to, and the next is due in its time.
  Task<void> beat_on();
  Task<void> beat();
  void stop();  // any thread

 private:
  Task<Result<void>> post(Heartbeat beat);
  void note(std::atomic<bool>& failing, const Result<void>& done, std::string_view where);

  const Config& config_;
  WorkerRegistry& registry_;
  net::HttpClient& http_;
  Clock& clock_;
  const std::function<Heartbeat()> now_;
  const std::shared_ptr<Signal> stopped_;
  std::atomic<bool> registry_failing_ = false;
  std::atomic<bool> controller_failing_ = false;
};

}  // namespace infra
