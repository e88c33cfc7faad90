// The one connection on which a controller hears what others publish. It is found again after a loss; what was said
// meanwhile is lost, and listeners are told that, to look for themselves.
#pragma once

#include <functional>
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

class RedisSubscriber {
 public:
  virtual ~RedisSubscriber() = default;
  virtual void start() = 0;  // non-blocking; once. Backoff as the client's; a silent connection is pinged every second
                             // and dropped when two seconds pass without a word
  [[nodiscard]] virtual bool subscribed() const = 0;  // any thread: what is published now is heard
  // Blocks until then, `limit` at most, and says whether it is so. Not on an event thread.
  virtual bool wait_until_subscribed(milliseconds limit) const = 0;
};

}  // namespace infra::net
