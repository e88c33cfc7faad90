#include "sandbox/spawner/sandbox_kind.h"

namespace infra::sandbox {

SandboxKind sandbox_kind(LaunchPurpose purpose, Runtime runtime, int memory_mb, bool egress, int thread_pool) {
  if (purpose == LaunchPurpose::build) return {.runtime = runtime, .memory_mb = 0, .purpose = purpose};
  if (runtime == Runtime::nodejs) {
    return {.runtime = runtime, .memory_mb = memory_mb, .egress = egress, .thread_pool = thread_pool};
  }
  return {.runtime = runtime == Runtime::go ? Runtime::cpp : runtime, .memory_mb = 0, .egress = egress};
}

}  // namespace infra::sandbox
