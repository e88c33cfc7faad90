// The one connection on which a controller hears what others publish. It is found again after a loss; what was said
// meanwhile is lost, and listeners are told that, to look for themselves.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/redis/redis_client.h"

namespace infra::net {

struct RedisSubscription {
  std::vector<std::string> channels{};
  std::vector<std::string> patterns{};  // PSUBSCRIBE's
  // On an event thread, one message after the other. `channel` is the real one, also for a pattern. Must not block.
  std::function<void(std::string_view channel, std::string payload)> on_message{};
  // Every subscription is confirmed by the server: at the first time and after every loss.
  std::function<void()> on_subscribed{};
};

// The loops must outlive it; the callbacks are not called after the destructor has returned (destroy it when no event
// thread is in one, or when the loops have stopped).
class RedisSubscriber {
 public:
  // Throws std::runtime_error if the options' `ca_file` can't be read.
  RedisSubscriber(EventLoops& loops, RedisOptions options, RedisSubscription subscription);
  ~RedisSubscriber();
  RedisSubscriber(const RedisSubscriber&) = delete;
  RedisSubscriber& operator=(const RedisSubscriber&) = delete;

  void start();  // non-blocking; once. Backoff as the client's; a silent connection is pinged every second and dropped
                 // when two seconds pass without a word
  [[nodiscard]] bool subscribed() const;  // any thread: what is published now is heard
  // Blocks until then, `limit` at most, and says whether it is so. Not on an event thread.
  bool wait_until_subscribed(milliseconds limit) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace infra::net
