// Starts a runtime's runner for one version of a function, isolated from everything else. Two launchers exist:
// SandboxLauncher (the spawner's namespaces, cgroups and seccomp) and PlainLauncher (INFRA_SANDBOX=none: a child
// process and nothing more).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "core/error.h"
#include "core/limits.h"
#include "core/runtime.h"
#include "core/time.h"
#include "sandbox/protocol/launch_purpose.h"
#include "sandbox/protocol/output_files.h"
#include "sandbox/protocol/sandbox_usage.h"

namespace infra::sandbox {

// The worker's ends of a running sandbox: descriptors only, all of them the launcher's and closed with the Sandbox.
struct SandboxHandles {
  int control = -1;  // SOCK_STREAM socketpair to the runner: frames of a 4-byte little-endian length and that much JSON
  int stdout_pipe = -1;  // read ends, non-blocking
  int stderr_pipe = -1;
  int ai_listener = -1;  // listening on 127.0.0.1 inside the sandbox's network; -1 once taken over by the AI proxy
  std::uint16_t ai_port = 0;
};

// Why and how a sandbox ended, and what it used over its whole life.
struct SandboxExit {
  bool exited = false;  // the runner ended by itself, with `exit_code`; else it was killed by `signal`
  int exit_code = 0;
  int signal = 0;
  bool out_of_memory = false;  // the memory limit was hit and the kernel killed for it
};

class Sandbox {
 public:
  virtual ~Sandbox() = default;  // kills whatever still runs, waits for it, frees the slot
  [[nodiscard]] virtual SandboxHandles& handles() = 0;
  // Kills every process in it, at once. Idempotent, any thread.
  virtual void kill() = 0;
  // Blocks until all processes are gone (the control socket's end-of-file usually says so first); kills them after
  // `patience`.
  virtual SandboxExit wait(milliseconds patience) = 0;
  [[nodiscard]] virtual SandboxUsage usage() = 0;
  // Of usage() alone, which may cost less.
  [[nodiscard]] virtual std::int64_t peak_memory_bytes() { return usage().peak_memory_bytes; }
  virtual void reset_peak() = 0;
  // Zeros where nothing is counted. Costs a few microseconds.
  [[nodiscard]] virtual SandboxState look() = 0;
  // Nothing in it runs between the two; where the machine can't, it stays as it is. Neither blocks; any thread.
  virtual void freeze() = 0;
  virtual void thaw() = 0;
  // Whether the folder for output files has something in it. Does not block.
  [[nodiscard]] virtual bool has_output() = 0;
  // Empties the folder for output files and gives what was in it; nothing once the runner has ended. Cheap if it is
  // empty. Blocks for `patience` at most, past which this sandbox is not to be used again (`emptied` is false).
  [[nodiscard]] virtual OutputTree take_output(milliseconds patience) = 0;
};

struct LaunchRequest {
  Runtime runtime = Runtime::python;
  std::string version;  // 64 hex digits: the folder below the versions root that becomes /workspace
  int memory_mb = limits::kDefaultMemoryMb;
  LaunchPurpose purpose = LaunchPurpose::run;
  bool egress = false;  // outbound connections to public addresses; else there is no network
  int thread_pool = 0;  // how many threads a pool has that is made at its start, if not as many as usual
};

// Blocking; any thread.
class Launcher {
 public:
  virtual ~Launcher() = default;
  // `unavailable` (codes no_free_slot, sandbox_failed) with a sentence saying which step failed; `unusable` (code
  // egress_unavailable) if this machine can't give what `egress` asks for.
  virtual Result<std::unique_ptr<Sandbox>> launch(const LaunchRequest& request) = 0;
  // How many sandboxes may exist at once.
  [[nodiscard]] virtual int capacity() const = 0;
  // Whether functions with egress can run here; if not, why (code egress_unavailable). The first time it may take a
  // while.
  [[nodiscard]] virtual Result<void> open_egress() { return {}; }
  // False once nothing can be launched any more and only a restart of the program helps.
  [[nodiscard]] virtual bool alive() const { return true; }
};

}  // namespace infra::sandbox
