// What the adapters promise holds whatever the network and the server do, each seed another misfortune.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "adapters/redis/leased_job_queue.h"
#include "adapters/redis/redis_concurrency_limiter.h"
#include "adapters/redis/redis_result_bus.h"
#include "adapters/redis/redis_worker_registry.h"
#include "core/limits.h"
#include "platform/engines/dice.h"
#include "platform/engines/redis/one_job.h"
#include "platform/engines/redis/simulated_redis_subscriber.h"
#include "platform/engines/redis/step_world.h"
#include "support/memory_objects.h"

namespace infra::testing {
namespace {

constexpr std::uint64_t kSeeds = 60;

// Redis keeps what it was told; answers, messages and connections are lost.
constexpr SimulatedRedisOptions kLossy{.least_latency = microseconds{300},
                                       .most_latency = milliseconds{40},
                                       .history = milliseconds{10'000},
                                       .lost_unapplied = 0.05,
                                       .lost_applied = 0.05,
                                       .not_now = 0.03,
                                       .frozen = 0.03,
                                       .frozen_for = milliseconds{3'000},
                                       .unheard = 0.2};

SimulatedRedisOptions calm() {
  return {.least_latency = kLossy.least_latency, .most_latency = kLossy.most_latency, .history = kLossy.history};
}

class Fleet {
 public:
  explicit Fleet(std::uint64_t seed) : world({.history = kLossy.history}, seed) {
    world.step = milliseconds{10};
    subscriber.start();
    world.pass(milliseconds{0});
    world.executor.spawn("watch", controller.watch());
    world.redis->set_options(kLossy);
  }

  // Until Redis lets it, as callers do.
  template <typename Make>
  auto insist(Make make) {
    auto outcome = world.run(make());
    for (int tries = 0; !outcome && tries < 100; ++tries) {
      world.pass(milliseconds{500});
      outcome = world.run(make());
    }
    return outcome;
  }
  Result<void> publish(const std::string& id, RunMode mode, const std::string& text) {
    Job job;
    job.request_id = {id};
    job.function_id = {"f"};
    job.mode = mode;
    job.reply_to = controller.reply_channel();
    JobResult result;
    result.request_id = {id};
    result.function_id = {"f"};
    result.out = text;
    const auto shared = std::make_shared<const JobResult>(std::move(result));
    return insist([&] { return worker.publish(job, shared); });
  }
  std::string state(const std::string& id) {
    const auto found = world.run(controller.find({id}));
    if (!found) return found.error().code;
    return found->finished() ? parse_job_result(found->json)->out : "pending";
  }

  StepWorld world;
  simulation::Dice dice{world.random};
  MemoryObjects bucket;
  std::unique_ptr<SimulatedRedisClient> of_controller = world.client();
  std::unique_ptr<SimulatedRedisClient> of_worker = world.client();
  RedisResultBus controller{
      *of_controller, bucket, world.clock, world.executor, {.controller_id = "c-1", .subscribed = [this] {
                                                              return subscriber.subscribed();
                                                            }}};
  RedisResultBus worker{*of_worker, bucket, world.clock, world.executor, {}};
  SimulatedRedisSubscriber subscriber{
      *world.redis,
      world.clock,
      world.executor,
      {.channels = {controller.reply_channel()},
       .patterns = {std::string(RedisResultBus::kReferencePattern)},
       .on_message = [this](std::string_view channel, std::string text) { controller.hear(channel, std::move(text)); },
       .on_subscribed = [this] { controller.resubscribed(); }}};
};

TEST(RedisAdaptersUnderFaults, WhoeverWaitsHearsItsResult) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Fleet fleet(seed);
    for (int i = 0; i < 4; ++i) {
      const std::string id = "r-" + std::to_string(i);
      auto waiter = fleet.insist([&] { return fleet.controller.expect({id}); });
      ASSERT_TRUE(waiter) << "seed " << seed;
      ASSERT_TRUE(fleet.publish(id, RunMode::sync, "x")) << "seed " << seed;
      const auto got =
          fleet.world.run((*waiter)->wait_until(fleet.world.clock.steady_now() + std::chrono::seconds{60}));
      ASSERT_TRUE(got) << "seed " << seed << ": " << got.error().code;
      EXPECT_EQ((*got)->out, "x");
    }
  }
}

TEST(RedisAdaptersUnderFaults, APromisedResultIsFoundThoughRedisForgets) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Fleet fleet(seed);
    auto options = kLossy;
    options.emptied = seed % 3 == 0 ? 0 : 0.05;
    options.failed_over = seed % 3 == 1 ? 0 : 0.05;
    options.failed_over_loses = milliseconds{8'000};
    fleet.world.redis->set_options(options);
    for (int i = 0; i < 4; ++i) {
      const std::string id = "r-" + std::to_string(i);
      ASSERT_TRUE(fleet.insist([&] { return fleet.controller.mark_pending({id}); })) << "seed " << seed;
      fleet.world.pass(fleet.dice.between(milliseconds{0}, milliseconds{3'000}));
      ASSERT_TRUE(fleet.publish(id, RunMode::async, "x")) << "seed " << seed;
    }
    fleet.world.redis->set_options(calm());
    fleet.world.pass(std::chrono::seconds{15});
    for (int i = 0; i < 4; ++i) EXPECT_EQ(fleet.state("r-" + std::to_string(i)), "x") << "seed " << seed;
  }
}

// A start that never came to a run is none, however the answer was lost.
TEST(RedisAdaptersUnderFaults, StartsAreCountedExactly) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    StepWorld world({.history = milliseconds{1'000}}, seed);
    world.step = milliseconds{10};
    simulation::Dice dice(world.random);
    OneJob jobs;
    const auto client_one = world.client();
    const auto client_two = world.client();
    LeasedJobQueue one(jobs, *client_one, {"w-1"}, world.clock, world.random, OneJob::never_mind);
    LeasedJobQueue two(jobs, *client_two, {"w-2"}, world.clock, world.random, OneJob::never_mind);
    world.redis->set_options(kLossy);
    int grants = 0;
    for (int round = 0; round < 40; ++round) {
      world.pass(dice.between(milliseconds{0}, milliseconds{1'500}));
      auto& queue = dice.chance(0.5) ? one : two;
      const auto got = world.run(queue.receive(1, milliseconds{0}));
      if (!got || got->empty()) continue;
      ++grants;
      ASSERT_EQ(got->front().receives, 1) << "seed " << seed << ", round " << round;
      if (dice.chance(0.2)) {  // its worker is lost, and it is the suspects' slot's
        jobs.request = "job-" + std::to_string(round);
      } else {
        ASSERT_TRUE(world.run(queue.give_back(got->front().receipt)));
      }
    }
    EXPECT_GT(grants, 3) << "seed " << seed;
  }
}

TEST(RedisAdaptersUnderFaults, ALeaseThatIsAskedForAfterItWasLetGoIsNone) {
  int late = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    StepWorld world({}, seed);
    world.step = milliseconds{10};
    OneJob jobs;
    const auto client = world.client();
    LeasedJobQueue queue(jobs, *client, {"w-1"}, world.clock, world.random, OneJob::never_mind);
    jobs.request = "another";  // so that the server knows the script
    ASSERT_TRUE(world.run(queue.receive(1, milliseconds{0})));
    jobs.request = "job";
    world.redis->set_options({.held_up = 1});
    const auto none = world.run(queue.receive(1, milliseconds{0}));
    if (none && !none->empty()) continue;  // it was not late enough for its caller to give it up
    ++late;
    world.redis->set_options({});
    jobs.is_out_of_sight = true;
    while (!world.run(queue.receive(1, milliseconds{0}))) world.pass(milliseconds{50});
    world.pass(milliseconds{6'000});
    jobs.is_out_of_sight = false;
    const auto got = world.run(queue.receive(1, milliseconds{0}));
    ASSERT_TRUE(got && got->size() == 1) << "seed " << seed;
    EXPECT_EQ(got->front().receives, 1) << "seed " << seed;
  }
  EXPECT_GT(late, 10);
}

// Another server's clock may be behind, and a clock is set back: what was to last for seconds does not last for hours.
class AClockThatGoesBack : public ::testing::Test {
 protected:
  AClockThatGoesBack() { world_.step = milliseconds{100}; }
  void go_back() {
    world_.redis->jump(std::chrono::hours{-1});
    world_.pass(std::chrono::seconds{1});
  }

  StepWorld world_;
  std::unique_ptr<SimulatedRedisClient> client_ = world_.client();
};

TEST_F(AClockThatGoesBack, KeepsADeadWorkersLeaseForNoLonger) {
  OneJob jobs;
  milliseconds put_off{0};
  const auto note = [&put_off](std::string receipt, milliseconds pause) {
    put_off = pause;
    return OneJob::never_mind(std::move(receipt), pause);
  };
  LeasedJobQueue dead(jobs, *client_, {"w-1"}, world_.clock, world_.random, note);
  LeasedJobQueue alive(jobs, *client_, {"w-2"}, world_.clock, world_.random, note);
  alive.begin_suspects();
  ASSERT_EQ(world_.run(dead.receive(1, milliseconds{0})).value().size(), 1U);
  go_back();
  EXPECT_TRUE(world_.run(alive.receive(1, milliseconds{0})).value().empty());
  EXPECT_LE(put_off, limits::kVisibility);
  world_.pass(limits::kVisibility);
  EXPECT_TRUE(world_.run(alive.receive(1, milliseconds{0})).value().empty());
  ASSERT_EQ(alive.suspects_waiting(), 1U);
  EXPECT_TRUE(world_.run(alive.receive_suspect()).value());
}

TEST_F(AClockThatGoesBack, CountsADeadWorkersRunForNoLonger) {
  RedisConcurrencyLimiter limiter(*client_);
  ASSERT_TRUE(world_.run(limiter.enter({{"f"}, {"dead"}}, 1)).value());
  ASSERT_TRUE(world_.run(limiter.enter({{"f"}, {"alive"}}, 2)).value());
  world_.redis->jump(std::chrono::seconds{-20});
  EXPECT_FALSE(world_.run(limiter.enter({{"f"}, {"next"}}, 2)).value()) << "a small step forgets nobody";
  go_back();
  ASSERT_TRUE(world_.run(limiter.renew({{"f"}, {"alive"}}, true)));
  EXPECT_FALSE(world_.run(limiter.enter({{"f"}, {"next"}}, 1)).value());
  EXPECT_TRUE(world_.run(limiter.enter({{"f"}, {"next"}}, 2)).value());
}

TEST_F(AClockThatGoesBack, ListsADeadWorkerForNoLonger) {
  RedisWorkerRegistry registry(*client_, world_.clock);
  const auto record = [&](const std::string& id) {
    return world_.run(registry.record(
        {.worker_id = {id}, .pools = {}, .uptime_seconds = 1, .timestamp = "t", .received_at = world_.clock.now()}));
  };
  ASSERT_TRUE(record("dead"));
  world_.redis->jump(std::chrono::seconds{-20});
  const auto early = world_.run(registry.list()).value();
  ASSERT_EQ(early.size(), 1U) << "a small step hides nobody";
  EXPECT_LE(early[0].received_at, world_.clock.now());
  go_back();
  ASSERT_TRUE(record("alive"));
  const auto listed = world_.run(registry.list()).value();
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].worker_id.value, "alive");
}

}  // namespace
}  // namespace infra::testing
