// Room for instances, beyond the pool's books: a new one waits until it has its place, idle ones in the way are ended
// for it, and a place is free once the instance's processes are gone.
#pragma once

#include <functional>
#include <vector>

#include "core/error.h"
#include "core/task.h"
#include "ports/clock.h"
#include "ports/executor.h"
#include "worker/instances/aside.h"
#include "worker/instances/warm_pool.h"
#include "worker/tasks/condition.h"
#include "worker/tasks/lifecycle.h"

namespace infra::worker {

// Any thread.
class Places {
 public:
  // `on_ended` is called when an instance has ended, or did not come to be.
  Places(WarmPool& pool, Executor& executor, Clock& clock, const Lifecycle& lifecycle, std::function<void()> on_ended)
      : pool_(pool),
        executor_(executor),
        clock_(clock),
        lifecycle_(lifecycle),
        on_ended_(std::move(on_ended)),
        freed_(clock) {}

  // Waits for a place. `unavailable` (code shutting_down) once the worker is stopping.
  Task<Result<void>> reserve(InstanceKey key);
  // For a run, which stands aside while it waits. An instance of the same key that became idle meanwhile is as good:
  // then no place is taken. Null: the place is there.
  Task<Result<InstancePtr>> reserve_or_take(InstanceKey key, Aside& aside);
  // Without waiting, for an instance that no run waits for: false if there is no room, for which no kept one ends.
  Task<bool> reserve_ahead(InstanceKey key);
  void release(const InstanceKey& key);  // of an instance that did not come to be

  // After a call: it waits for its next one, or ends.
  Task<void> put_back_or_end(InstancePtr instance);
  // The one that is missed least. False if none is idle.
  Task<bool> end_one_idle();
  // With their places. Returns when their processes are gone.
  Task<void> end(std::vector<InstancePtr> instances);
  Task<void> end(InstancePtr instance);

  void notify_all() { freed_.notify_all(); }  // the phase has changed

 private:
  Task<Result<bool>> try_reserve(const InstanceKey& key);  // false if it is to wait

  WarmPool& pool_;
  Executor& executor_;
  Clock& clock_;
  const Lifecycle& lifecycle_;
  const std::function<void()> on_ended_;
  Condition freed_;
};

// A place that was reserved, until an instance takes it: given back when this goes before.
class HeldPlace {
 public:
  HeldPlace(Places& places, InstanceKey key) : places_(&places), key_(std::move(key)) {}
  ~HeldPlace() {
    if (places_ != nullptr) places_->release(key_);
  }
  HeldPlace(const HeldPlace&) = delete;
  HeldPlace& operator=(const HeldPlace&) = delete;

  void taken() { places_ = nullptr; }

 private:
  Places* places_;
  const InstanceKey key_;
};

}  // namespace infra::worker
