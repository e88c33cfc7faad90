// What sandboxes are prepared as, before anybody knows for which function.
#pragma once

#include "core/runtime.h"
#include "sandbox/protocol/launch_purpose.h"

namespace infra::sandbox {

// Sandboxes of one kind are interchangeable until they learn which function they are for.
struct SandboxKind {
  Runtime runtime = Runtime::python;  // the one that it waits as
  int memory_mb = 0;                  // of a runtime alone whose heap is fixed at its start
  LaunchPurpose purpose = LaunchPurpose::run;
  bool egress = false;
  int thread_pool = 0;  // of such a runtime alone, too
  bool operator==(const SandboxKind&) const = default;
};
[[nodiscard]] SandboxKind sandbox_kind(LaunchPurpose purpose, Runtime runtime, int memory_mb, bool egress = false,
                                       int thread_pool = 0);

}  // namespace infra::sandbox
