// Where a job gets its instance from: a warm one of its function's version, or a new one, when there is a place for it.
#pragma once

#include <functional>

#include "core/error.h"
#include "core/job.h"
#include "core/task.h"
#include "ports/ai_proxy.h"
#include "ports/clock.h"
#include "ports/executor.h"
#include "sandbox/launcher.h"
#include "worker/code/unpacked_code.h"
#include "worker/instances/places.h"
#include "worker/instances/warm_pool.h"

namespace infra::worker {

// Any thread.
class InstanceSource {
 public:
  struct Deps {
    WarmPool& pool;
    Places& places;
    UnpackedCode& code;
    sandbox::Launcher& launcher;
    AiProxy* ai;  // may be null
    Executor& executor;
    Clock& clock;
    // A function's keepWarm is learned from its jobs, where nothing else tells of it.
    bool learns_from_jobs = false;
  };

  explicit InstanceSource(Deps deps) : deps_(deps) {}

  // What a new one is wanted for, on the pool's thread that has started it.
  using Use = std::function<void(const InstancePtr&)>;

  // Fails as UnpackedCode::acquire(), Places::reserve() and Instance::start() do.
  Task<Result<InstancePtr>> obtain(const Job& job, const Use& use, Aside& aside);
  // In a place that was reserved, which is free again if it fails.
  Task<Result<InstancePtr>> start(InstanceKey key, CodeClaim code, const Use& use = {});

 private:
  Task<Result<CodeClaim>> acquire(const Job& job, const std::string& sha256, Aside& aside);

  const Deps deps_;
};

}  // namespace infra::worker
