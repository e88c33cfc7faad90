#include "worker/instances/keep_warm.h"

#include <algorithm>

#include "telemetry/log.h"
#include "telemetry/task_failures.h"

namespace infra::worker {
namespace {

constexpr milliseconds kLook{1000};
constexpr milliseconds kFirstPause{1000};  // after code that could not be loaded
constexpr milliseconds kLongestPause{300'000};

// What the code is loaded with: a call without a request.
Job loading_of(const Function& function) {
  Job job;
  job.function_id = function.id;
  job.settings() = function.settings();
  job.code = function.code;
  return job;
}

}  // namespace

void KeepWarm::deployed(const Function& function) {
  if (deps_.lifecycle.phase() != Phase::running || function.code.sha256.empty()) return;
  const InstanceKey key = key_of(function);
  if (!learn(function, key)) return;
  deps_.tasks.spawn("ending instances", deps_.places.end(deps_.pool.supersede(key)));
  notify_all();
}

// False if it says nothing new.
bool KeepWarm::learn(const Function& function, const InstanceKey& key) {
  const MutexLock lock(mutex_);
  const auto known = kept_.find(function.id);
  if (known != kept_.end() && known->second.version > function.version) return false;  // told late
  if (known != kept_.end() && known->second.version == function.version && known->second.key == key) return false;
  if (function.keep_warm > 0) {
    kept_.insert_or_assign(function.id, Kept{.key = key,
                                             .count = function.keep_warm,
                                             .version = function.version,
                                             .loading = loading_of(function),
                                             .budget = function.keep_warm});
  } else if (known != kept_.end()) {
    kept_.erase(known);
  }
  deps_.pool.keep(key, function.keep_warm);
  return true;
}

void KeepWarm::removed(const FunctionId& id) {
  if (deps_.lifecycle.phase() != Phase::running) return;
  {
    const MutexLock lock(mutex_);
    kept_.erase(id);
    deps_.pool.keep_none_of(id);
  }
  deps_.tasks.spawn("ending instances", deps_.places.end(deps_.pool.retire(id)));
}

void KeepWarm::changes_missed() {
  deps_.pool.keep_none_for_jobs();
}

Task<void> KeepWarm::run() {
  while (deps_.lifecycle.phase() == Phase::running) {
    const auto change = changed_.prepare_wait();
    const SteadyTime now = deps_.clock.steady_now();
    const bool short_of_memory = deps_.short_of_memory && deps_.short_of_memory();
    const auto missing = short_of_memory ? std::nullopt : first_missing(now);
    if (!missing || !co_await start_one(*missing)) co_await change->wait_until(now + kLook);
  }
}

std::optional<KeepWarm::Kept> KeepWarm::first_missing(SteadyTime now) const {
  const MutexLock lock(mutex_);
  for (const auto& [id, kept] : kept_) {
    if (kept.not_before <= now && deps_.pool.count(kept.key) < kept.count) return kept;
  }
  return std::nullopt;
}

// False if there is no room for it.
Task<bool> KeepWarm::start_one(Kept kept) {
  if (!co_await deps_.places.reserve_ahead(kept.key)) co_return false;
  HeldPlace place(deps_.places, kept.key);
  note_start(kept.key);
  co_await deps_.places.end(deps_.pool.supersede(kept.key));
  auto code =
      co_await deps_.code.acquire(kept.loading.code, kept.key.sha256, kept.key.runtime, kept.key.function_id.value);
  if (!code) {
    note_outcome(kept.key, code.error());
    co_return true;
  }
  place.taken();  // start() answers for it
  const auto started = co_await deps_.instances.start(kept.key, std::move(*code));
  if (!started) {
    note_outcome(kept.key, started.error());
    co_return true;
  }
  const InstancePtr& instance = *started;
  const auto loaded = co_await caught("loading ahead", load(instance, kept.loading));
  deps_.calls.end(instance);
  instance->give_up_call();
  note_outcome(kept.key, loaded ? std::nullopt : std::optional(loaded.error()));
  co_await deps_.places.put_back_or_end(instance);
  co_return true;
}

Task<Result<void>> KeepWarm::load(const InstancePtr& instance, const Job& job) {
  const CallSetup setup = deps_.calls.begin(instance, job);
  Result<void> loaded;
  co_await deps_.executor.offload([&] { loaded = instance->load(job, setup); });
  co_return loaded;
}

// An instance that dies as soon as it is there is not started again all the time.
void KeepWarm::note_start(const InstanceKey& key) {
  const MutexLock lock(mutex_);
  const auto found = kept_.find(key.function_id);
  if (found == kept_.end() || --found->second.budget > 0) return;
  found->second.budget = 1;
  found->second.not_before = deps_.clock.steady_now() + kLook;
}

// Code that does not load is tried again, less and less often: what it needs may come back.
void KeepWarm::note_outcome(const InstanceKey& key, const std::optional<Error>& failure) {
  const MutexLock lock(mutex_);
  const auto found = kept_.find(key.function_id);
  if (found == kept_.end() || found->second.key != key) return;
  Kept& kept = found->second;
  kept.pause = failure ? std::clamp(kept.pause * 2, kFirstPause, kLongestPause) : milliseconds{0};
  if (!failure) return;
  kept.not_before = deps_.clock.steady_now() + kept.pause;
  log::warn("an instance could not be started ahead", {{"functionId", key.function_id.value}, {"code", failure->code}});
}

}  // namespace infra::worker
