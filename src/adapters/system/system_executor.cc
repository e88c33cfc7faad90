// Hands through: the port keeps the rooms above from seeing net/.
#include "adapters/system/system_executor.h"

#include <utility>

namespace infra {

void SystemExecutor::spawn(Task<void> task) {
  loops_.spawn(std::move(task));
}

Task<void> SystemExecutor::offload(std::function<void()> work) {
  return loops_.offload(std::move(work));
}

}  // namespace infra
