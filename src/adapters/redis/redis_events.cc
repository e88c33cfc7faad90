#include "adapters/redis/redis_events.h"

#include <utility>

namespace infra {

void RedisEvents::tell(LiveEvent event) {
  std::string message = to_message(event);
  {
    const MutexLock lock(mutex_);
    if (bytes_ + message.size() > kMaxBytes) return count_dropped();
    bytes_ += message.size();
    waiting_.push_back(std::move(message));
    if (std::exchange(publishing_, true)) return;
  }
  executor_.spawn({"publishing events",
                   [this] {
                     const MutexLock lock(mutex_);
                     publishing_ = false;
                   }},
                  publish());
}

// One after the other, so that a run's events are heard in their order.
Task<void> RedisEvents::publish() {
  while (true) {
    std::string message;
    bool gap = false;
    {
      const MutexLock lock(mutex_);
      if (waiting_.empty()) {
        publishing_ = false;
        co_return;
      }
      message = std::move(waiting_.front());
      waiting_.pop_front();
      bytes_ -= message.size();
      gap = std::exchange(dropped_, false);
    }
    const bool told = !gap || co_await publish(std::string(kGap));
    const bool published = co_await publish(std::move(message));
    const MutexLock lock(mutex_);
    dropped_ |= !told;
    if (!published) count_dropped();
  }
}

Task<bool> RedisEvents::publish(std::string message) {
  co_return (co_await redis_.command({"PUBLISH", std::string(kChannel), std::move(message)}, "")).has_value();
}

void RedisEvents::count_dropped() {
  dropped_ = true;
  metrics_.count("live_events_dropped_total");
}

Task<void> RedisEvents::look() {
  const std::string key(kWanted);
  if (feed_ != nullptr && feed_->is_wanted()) {
    want(true);
    (void)co_await redis_.command({"SET", key, "1", "PX", std::to_string(milliseconds(kWantedFor).count())}, key);
    co_return;
  }
  const auto found = co_await redis_.command({"EXISTS", key}, key);
  want(found && found->integer == 1);
}

Task<void> RedisEvents::watch() {
  while (true) {
    co_await look();
    co_await clock_.sleep_until(clock_.steady_now() + kLookInterval);
  }
}

}  // namespace infra
