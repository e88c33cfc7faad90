// The programs of versions that come as C++ or Go source: compiled once for the whole fleet, in a sandbox as isolated
// as a function's own, and kept in the code store, where every other worker finds them.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "core/byte_budget.h"
#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/code_store.h"
#include "ports/executor.h"
#include "sandbox/launcher.h"
#include "worker/code/build_line.h"

namespace infra::worker {

struct BuildLimits {
  int memory_mb = 1024;  // the scratch folder's content counts
  milliseconds time = std::chrono::seconds(90);
  BuildLine::Bounds line{};
};

// Any thread.
class Builds {
 public:
  // How a build's memory and its sandbox are accounted for; `leave` undoes one `enter` that was granted.
  struct Room {
    std::function<Task<Result<void>>(const std::string& sha256)> enter;
    std::function<void(const std::string& sha256)> leave;
    ByteBudget* frames = nullptr;  // what the compiler's answers are counted in while they are read
  };

  Builds(CodeStore& store, sandbox::Launcher& launcher, Executor& executor, Clock& clock, Room room,
         BuildLimits limits = {})
      : store_(store),
        launcher_(launcher),
        executor_(executor),
        clock_(clock),
        room_(std::move(room)),
        limits_(limits),
        line_(clock, limits.line) {}

  // Puts the program of the version whose source is unpacked in `folder`, below the launcher's versions root, where the
  // runner finds it. `sha256` is the bundle's; `sender` is whose compilations wait for each other. `unusable` (code
  // compile_error) with the compiler's words; `unavailable` (compiler_missing names the compiler; builds_busy,
  // sandbox_failed and others).
  Task<Result<void>> provide(std::string sha256, Runtime runtime, std::filesystem::path folder, std::string sender);

  // Kills what is being compiled; whatever is asked from now on is `unavailable`.
  void abort();

 private:
  struct Source {
    std::string sha256;
    Runtime runtime;
    std::filesystem::path folder;
    std::string sender;
  };
  // Of a version that does not compile.
  struct Failure {
    Error error;
    SteadyTime until;
  };

  Task<Result<std::string>> fetch_or_compile(const Source& source);
  Task<Result<std::string>> compile(const Source& source);
  Result<std::string> compile_blocking(const Source& source);
  Result<std::string> talk(sandbox::Sandbox& sandbox, const Source& source);
  [[nodiscard]] bool note_running(sandbox::Sandbox* sandbox);
  void forget_running(sandbox::Sandbox* sandbox);
  void remember_failure(const std::string& sha256, const Error& error);
  [[nodiscard]] std::optional<Error> known_failure(const std::string& sha256);

  CodeStore& store_;
  sandbox::Launcher& launcher_;
  Executor& executor_;
  Clock& clock_;
  const Room room_;
  const BuildLimits limits_;

  BuildLine line_;
  Mutex mutex_;
  std::set<sandbox::Sandbox*> running_ INFRA_GUARDED_BY(mutex_);
  // By SHA-256, for an hour; so that a broken function costs one compilation, also one that takes all of its time.
  std::map<std::string, Failure> failures_ INFRA_GUARDED_BY(mutex_);
  bool aborted_ INFRA_GUARDED_BY(mutex_) = false;
};

}  // namespace infra::worker
