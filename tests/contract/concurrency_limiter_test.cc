// ConcurrencyLimiter's contract on the adapter in memory.
#include "adapters/memory/memory_concurrency_limiter.h"
#include "contract/concurrency_limiter_contract.h"

namespace infra::testing {
namespace {

class Memory {
 public:
  static constexpr milliseconds kSlack{1};

  ConcurrencyLimiter& limiter() { return limiter_; }
  template <typename T>
  T run(Task<T> task) {
    return run_task(std::move(task));
  }
  void advance(milliseconds step) { clock_.advance(step); }

 private:
  ManualClock clock_;
  MemoryConcurrencyLimiter limiter_{clock_};
};

TEST(MemoryConcurrencyLimiter, WhoRanWhileTheProgramStoodStillMayRenewItsPlace) {
  Memory world;
  const LimitedRun run{.function = {"f"}, .request = {"a"}};
  const LimitedRun other{.function = {"f"}, .request = {"b"}};
  EXPECT_TRUE(*world.run(world.limiter().enter(run, 1)));
  world.advance(std::chrono::hours{1});
  EXPECT_FALSE(*world.run(world.limiter().enter(other, 1)));
  EXPECT_TRUE(world.run(world.limiter().renew(run, true)));
  world.advance(limits::kVisibilityRenewal);
  EXPECT_FALSE(*world.run(world.limiter().enter(other, 1)));
  world.advance(limits::kVisibility);
  EXPECT_FALSE(*world.run(world.limiter().enter(other, 1)));
  world.advance(limits::kVisibilityRenewal);
  EXPECT_TRUE(*world.run(world.limiter().enter(other, 1))) << "the first one did not";
}

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, ConcurrencyLimiterContract, Memory);

}  // namespace
}  // namespace infra::testing
