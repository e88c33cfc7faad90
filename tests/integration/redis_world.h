// What the Redis adapters stand on in their tests: a Redis whose clock the test moves together with the adapters',
// event loops, and a bucket in memory.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "adapters/system/system_executor.h"
#include "contract/engine_world.h"
#include "integration/redis_engine.h"
#include "net/loops/event_loops.h"
#include "support/manual_clock.h"
#include "support/memory_objects.h"

namespace infra::testing {

class RedisWorld : public EngineWorld {
 public:
  static constexpr milliseconds kSlack{3000};  // the server's clock goes on by itself

  RedisWorld() { redis.start(); }
  ~RedisWorld() override { loops.stop(); }

  void run_void(Task<void> task) override { loops.run_blocking(std::move(task)); }
  void spawn(Task<void> task) override { loops.spawn("test", std::move(task)); }
  void advance(milliseconds step) override {
    server.advance(step);
    clock.advance(step);
  }
  void await_sleepers(std::size_t count) override { clock.await_sleepers(count); }
  [[nodiscard]] WallTime now() const override { return clock.now(); }
  [[nodiscard]] SteadyTime deadline_in(milliseconds wait) const override { return clock.steady_now() + wait; }

  // As another client of the same server would.
  std::string ask(const std::vector<std::string>& command) { return server.ask(command); }

  template <typename Condition>
  static void eventually(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    bool met = condition();
    for (; !met && std::chrono::steady_clock::now() < end; met = condition()) {
      std::this_thread::sleep_for(milliseconds{2});
    }
    ASSERT_TRUE(met);
  }

  ManualClock clock;
  net::EventLoops loops{redis_event_threads(), 2};
  SystemExecutor executor{loops};

 private:
  const std::unique_ptr<RedisEngine> engine_ = make_redis_engine(loops);
  const std::unique_ptr<net::RedisClient> client_ = engine_->make_client();

 public:
  RedisEngine& server = *engine_;
  net::RedisClient& redis = *client_;
  MemoryObjects bucket;
};

}  // namespace infra::testing
