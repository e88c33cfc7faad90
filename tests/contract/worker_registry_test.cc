// WorkerRegistry's contract on its adapters.
#include "adapters/embedded/memory_worker_registry.h"
#include "contract/worker_registry_contract.h"

namespace infra::testing {
namespace {

struct Memory {
  static std::unique_ptr<WorkerRegistry> make(HandClock& clock) {
    return std::make_unique<MemoryWorkerRegistry>(clock);
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, WorkerRegistryContract, Memory);

}  // namespace
}  // namespace infra::testing
