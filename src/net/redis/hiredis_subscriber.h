// The real one, over a connection of its own.
#pragma once

#include <memory>

#include "net/loops/event_loops.h"
#include "net/redis/redis_subscriber.h"

namespace infra::net {

// The loops must outlive it; the callbacks are not called after the destructor has returned (destroy it when no event
// thread is in one, or when the loops have stopped).
class HiredisSubscriber final : public RedisSubscriber {
 public:
  // Throws std::runtime_error if the options' `ca_file` can't be read.
  HiredisSubscriber(EventLoops& loops, RedisOptions options, RedisSubscription subscription);
  ~HiredisSubscriber() override;
  HiredisSubscriber(const HiredisSubscriber&) = delete;
  HiredisSubscriber& operator=(const HiredisSubscriber&) = delete;

  void start() override;
  [[nodiscard]] bool subscribed() const override;
  bool wait_until_subscribed(milliseconds limit) const override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace infra::net
