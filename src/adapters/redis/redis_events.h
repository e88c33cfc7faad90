// Events of runs on their way through a fleet: whoever has some publishes them, and every controller hears them for
// those who listen at it. While nobody listens anywhere nothing is published.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "core/mutex.h"
#include "net/redis/redis_client.h"
#include "ports/clock.h"
#include "ports/executor.h"
#include "ports/live_events.h"
#include "telemetry/metrics.h"

namespace infra {

// Best effort: what can't be published is lost, counted and told of as a gap; what is said while a controller has no
// subscription is lost to it.
class RedisEvents final : public LiveEvents {
 public:
  static constexpr std::string_view kChannel = "infra:events";        // the payload is to_message(event)
  static constexpr std::string_view kWanted = "infra:events:wanted";  // a key that is there while somebody listens
  static constexpr std::string_view kGap = "gap";  // a payload, too: events of the sender's are missing here
  // A program learns of the first listener, and a while after the last one of its end, this much later.
  static constexpr std::chrono::seconds kLookInterval{2};
  static constexpr std::chrono::seconds kWantedFor{10};
  static constexpr std::size_t kMaxBytes = 1024 * 1024;  // that wait to be published; what is more is dropped

  // `feed`: where a controller's own listeners are; null: there are none. Referenced objects must outlive it.
  RedisEvents(net::RedisClient& redis, Clock& clock, Executor& executor, Metrics& metrics, const LiveEvents* feed)
      : redis_(redis), clock_(clock), executor_(executor), metrics_(metrics), feed_(feed) {}

  void tell(LiveEvent event) override;

  // Tells the others that somebody listens here, or asks whether somebody does elsewhere.
  Task<void> look();
  Task<void> watch();  // looks until the program ends

 private:
  Task<void> publish();
  Task<bool> publish(std::string message);
  void count_dropped() INFRA_REQUIRES(mutex_);

  net::RedisClient& redis_;
  Clock& clock_;
  Executor& executor_;
  Metrics& metrics_;
  const LiveEvents* const feed_;
  Mutex mutex_;
  std::deque<std::string> waiting_ INFRA_GUARDED_BY(mutex_);
  std::size_t bytes_ INFRA_GUARDED_BY(mutex_) = 0;
  bool publishing_ INFRA_GUARDED_BY(mutex_) = false;
  bool dropped_ INFRA_GUARDED_BY(mutex_) = false;  // and nobody was told yet
};

}  // namespace infra
