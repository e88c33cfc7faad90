// The Redis under the adapters' tests: a real server's or the simulated one, whichever the test program is linked with.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/time.h"
#include "net/loops/event_loops.h"
#include "net/redis/redis_client.h"
#include "net/redis/redis_subscriber.h"

namespace infra::testing {

// Called by the test's threads, never by an event thread.
class RedisEngine {
 public:
  virtual ~RedisEngine() = default;
  virtual void kill() = 0;     // nothing is kept
  virtual void restart() = 0;  // empty
  virtual void freeze() = 0;
  virtual void thaw() = 0;
  virtual void advance(milliseconds step) = 0;  // its clock, which goes on by itself as well
  // As another client would; the reply's first leaf.
  virtual std::string ask(const std::vector<std::string>& command) = 0;

  // The engine outlives them.
  virtual std::unique_ptr<net::RedisClient> make_client() = 0;
  virtual std::unique_ptr<net::RedisSubscriber> make_subscriber(net::RedisSubscription subscription) = 0;
};

// How many event threads its clients may have.
[[nodiscard]] std::size_t redis_event_threads();
// The loops outlive it, and may be stopped before it goes.
[[nodiscard]] std::unique_ptr<RedisEngine> make_redis_engine(net::EventLoops& loops);

}  // namespace infra::testing
