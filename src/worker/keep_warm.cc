// Worker's part in keepWarm: instances that are started before their first call, with their code loaded, and again
// when one has ended.
#include <algorithm>

#include "telemetry/log.h"
#include "worker/worker.h"

namespace infra::worker {
namespace {

constexpr milliseconds kLook{1000};
constexpr milliseconds kFirstPause{1000};  // after code that could not be loaded
constexpr milliseconds kLongestPause{300'000};

InstanceKey key_of(const Function& function) {
  return {.function_id = function.id,
          .sha256 = function.code.sha256,
          .runtime = function.runtime,
          .memory_mb = function.memory_mb,
          .network = function.network,
          .env = function.env};
}

// What the code is loaded with: a call without a request.
Job loading_of(const Function& function) {
  Job job;
  job.function_id = function.id;
  job.runtime = function.runtime;
  job.memory_mb = function.memory_mb;
  job.timeout = function.timeout;
  job.network = function.network;
  job.code = function.code;
  job.env = function.env;
  return job;
}

}  // namespace

void Worker::deployed(const Function& function) {
  if (phase() != Phase::running || function.code.sha256.empty()) return;
  const InstanceKey key = key_of(function);
  {
    const std::lock_guard lock(mutex_);
    const auto known = kept_.find(function.id);
    if (known != kept_.end() && known->second.version > function.version) return;  // told late
    if (known != kept_.end() && known->second.version == function.version && known->second.key == key) return;
    if (function.keep_warm > 0) {
      kept_.insert_or_assign(function.id, Kept{.key = key,
                                               .count = function.keep_warm,
                                               .version = function.version,
                                               .loading = loading_of(function),
                                               .budget = function.keep_warm});
    } else if (known != kept_.end()) {
      kept_.erase(known);
    }
    pool_.keep(function.id, function.keep_warm);
  }
  spawn_counted(end_instances(pool_.supersede(key)));
  kept_changed_.notify_all();
}

void Worker::removed(const FunctionId& id) {
  if (phase() != Phase::running) return;
  {
    const std::lock_guard lock(mutex_);
    kept_.erase(id);
    pool_.keep(id, 0);
  }
  spawn_counted(end_instances(pool_.retire(id)));
}

void Worker::changes_missed() {
  const std::lock_guard lock(mutex_);
  pool_.keep_none();
  for (const auto& [id, kept] : kept_) pool_.keep(id, kept.count);
}

// In a fleet the keepWarm of a function is unknown if its row can't be read, or has no hash.
void Worker::learn_from(const Job& job) {
  if (!options_.others_take_over) return;
  const std::lock_guard lock(mutex_);
  if (!kept_.contains(job.function_id)) pool_.keep(job.function_id, job.keep_warm);
}

Task<void> Worker::start_ahead() {
  while (phase() == Phase::running) {
    const auto change = kept_changed_.prepare_wait();
    const SteadyTime now = deps_.clock.steady_now();
    const bool short_of_memory = options_.short_of_memory && options_.short_of_memory();
    const auto missing = short_of_memory ? std::nullopt : first_missing(now);
    if (!missing || !co_await start_one_ahead(*missing)) co_await change->wait_until(now + kLook);
  }
}

std::optional<Worker::Kept> Worker::first_missing(SteadyTime now) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, kept] : kept_) {
    if (kept.not_before <= now && pool_.count(kept.key) < kept.count) return kept;
  }
  return std::nullopt;
}

// False if there is no room for it: no kept instance ends for it.
Task<bool> Worker::start_one_ahead(Kept kept) {
  while (true) {
    auto place = pool_.reserve(kept.key, deps_.clock.steady_now(), WarmPool::Urgency::ahead);
    if (place.granted) break;
    if (!place.end_first) co_return false;
    co_await end_instances(std::vector{std::move(place.end_first)});
  }
  note_start(kept.key);
  co_await end_instances(pool_.supersede(kept.key));
  const auto version = co_await code_.acquire(kept.loading.code, kept.key.sha256, kept.key.runtime);
  Result<InstancePtr> started = version ? Result<InstancePtr>(nullptr) : fail(version.error());
  if (version) {
    co_await deps_.executor.offload([&] { started = Instance::start(kept.key, *version, deps_.launcher, deps_.ai); });
  }
  if (!started) {
    note_outcome(kept.key, started.error());
    release_place(kept.key);
    co_return true;
  }
  const InstancePtr& instance = *started;
  {
    const std::lock_guard lock(mutex_);
    calling_.insert(instance);
  }
  if (phase() == Phase::stopping) instance->abort();
  Result<void> loaded;
  co_await deps_.executor.offload([&] {
    loaded = instance->load(kept.loading,
                            {.model_id = options_.default_model, .deadline = deps_.clock.now() + kept.loading.timeout});
  });
  {
    const std::lock_guard lock(mutex_);
    calling_.erase(instance);
  }
  note_outcome(kept.key, loaded ? std::nullopt : std::optional(loaded.error()));
  co_await finish_instance(instance);
  co_return true;
}

// An instance that dies as soon as it is there is not started again all the time.
void Worker::note_start(const InstanceKey& key) {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(key.function_id);
  if (found == kept_.end() || --found->second.budget > 0) return;
  found->second.budget = 1;
  found->second.not_before = deps_.clock.steady_now() + kLook;
}

// Code that does not load is tried again, less and less often: what it needs may come back.
void Worker::note_outcome(const InstanceKey& key, const std::optional<Error>& failure) {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(key.function_id);
  if (found == kept_.end() || found->second.key != key) return;
  Kept& kept = found->second;
  kept.pause = failure ? std::clamp(kept.pause * 2, kFirstPause, kLongestPause) : milliseconds{0};
  if (!failure) return;
  kept.not_before = deps_.clock.steady_now() + kept.pause;
  log::warn("an instance could not be started ahead", {{"functionId", key.function_id.value}, {"code", failure->code}});
}

// A job may have been accepted before its function's last change.
bool Worker::is_superseded(const InstanceKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto kept = kept_.find(key.function_id);
  return kept != kept_.end() && kept->second.key != key;
}

}  // namespace infra::worker
