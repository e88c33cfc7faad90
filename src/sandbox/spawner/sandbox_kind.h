// What sandboxes are prepared as, before anybody knows for which function.
#pragma once

#include "core/function.h"
#include "sandbox/protocol/launch_purpose.h"

namespace infra::sandbox {

// Sandboxes of one kind are interchangeable until they learn which function they are for.
struct SandboxKind {
  Runtime runtime = Runtime::python;  // Go's are C++'s: both run a binary
  int memory_mb = 0;                  // of Node.js alone, whose heap is fixed at its start
  LaunchPurpose purpose = LaunchPurpose::run;
  bool egress = false;
  int thread_pool = 0;  // of Node.js alone; it is started with it
  bool operator==(const SandboxKind&) const = default;
};
[[nodiscard]] SandboxKind sandbox_kind(LaunchPurpose purpose, Runtime runtime, int memory_mb, bool egress = false,
                                       int thread_pool = 0);

}  // namespace infra::sandbox
