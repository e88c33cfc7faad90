// WorkerRegistry's contract on its adapters.
#include "adapters/memory/memory_worker_registry.h"
#include "contract/worker_registry_contract.h"

namespace infra::testing {
namespace {

struct Memory {
  Result<void> record(const Heartbeat& heartbeat) { return run_task(registry.record(heartbeat)); }
  Result<std::vector<Heartbeat>> list() { return run_task(registry.list()); }

  void advance(milliseconds step) { clock.advance(step); }

  static constexpr milliseconds slack{0};
  ManualClock clock;
  MemoryWorkerRegistry registry{clock};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, WorkerRegistryContract, Memory);

}  // namespace
}  // namespace infra::testing
