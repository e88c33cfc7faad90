// How a fleet's worker tells that it lives: into Redis, where every controller sees it, and to the controller that
// CONTROLLER_URL names, which may be a reference platform's.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/mutex.h"
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
  // What was last said of each way; empty while heartbeats arrive on it.
  struct Told {
    std::string registry;
    std::string controller;
  };
  void note(std::string Told::* way, const Result<void>& done, std::string_view where);

  const Config& config_;
  WorkerRegistry& registry_;
  net::HttpClient& http_;
  Clock& clock_;
  const std::function<Heartbeat()> now_;
  const std::shared_ptr<Signal> stopped_;
  Mutex mutex_;
  Told told_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra
