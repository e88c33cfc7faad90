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

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, ConcurrencyLimiterContract, Memory);

}  // namespace
}  // namespace infra::testing
