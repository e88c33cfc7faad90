#include "sandbox/spawner/sandbox_kind.h"

namespace infra::sandbox {

SandboxKind sandbox_kind(LaunchPurpose purpose, Runtime runtime, int memory_mb, bool egress, int thread_pool) {
  if (purpose == LaunchPurpose::build) return {.runtime = runtime, .memory_mb = 0, .purpose = purpose};
  if (is_sized_at_start(runtime)) {
    return {.runtime = runtime, .memory_mb = memory_mb, .egress = egress, .thread_pool = thread_pool};
  }
  return {.runtime = traits_of(runtime).waits_as, .memory_mb = 0, .egress = egress};
}

}  // namespace infra::sandbox
