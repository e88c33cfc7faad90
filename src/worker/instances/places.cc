#include "worker/instances/places.h"

#include <utility>

#include "core/error_codes.h"

namespace infra::worker {
namespace {

constexpr milliseconds kLook{1000};

}  // namespace

Task<Result<void>> Places::reserve(InstanceKey key) {
  while (true) {
    const auto freed = freed_.prepare_wait();
    const auto reserved = co_await try_reserve(key);
    if (!reserved) co_return fail(reserved.error());
    if (*reserved) co_return Result<void>();
    co_await freed->wait_until(clock_.steady_now() + kLook);
  }
}

Task<Result<InstancePtr>> Places::reserve_or_take(InstanceKey key, Aside& aside) {
  InstancePtr warm;
  for (bool waits = false;; waits = true) {
    const auto freed = freed_.prepare_wait();
    if (waits) warm = pool_.take(key);
    const auto reserved = warm ? Result<bool>(true) : co_await try_reserve(key);
    if (!reserved) co_return fail(reserved.error());
    if (*reserved && waits) {
      if (auto back = co_await aside.come_back(); !back) {
        warm ? co_await put_back_or_end(std::move(warm)) : release(key);
        co_return fail(std::move(back.error()));
      }
    }
    if (*reserved) co_return warm;
    if (!waits) aside.step_aside();
    co_await freed->wait_until(clock_.steady_now() + kLook);
  }
}

Task<Result<bool>> Places::try_reserve(const InstanceKey& key) {
  while (true) {
    auto place = pool_.reserve(key, clock_.steady_now());
    if (place.granted) co_return true;
    if (lifecycle_.phase() == Phase::stopping) co_return fail(errors::shutting_down, "The platform is stopping.");
    if (!place.end_first) co_return false;
    co_await end(std::move(place.end_first));
  }
}

Task<bool> Places::reserve_ahead(InstanceKey key) {
  while (true) {
    auto place = pool_.reserve(key, clock_.steady_now(), WarmPool::Urgency::ahead);
    if (place.granted) co_return true;
    if (!place.end_first) co_return false;
    co_await end(std::move(place.end_first));
  }
}

void Places::release(const InstanceKey& key) {
  pool_.remove(key);
  freed_.notify_all();
  on_ended_();
}

Task<void> Places::put_back_or_end(InstancePtr instance) {
  if (lifecycle_.phase() != Phase::stopping && instance->reusable() && pool_.put_back(instance, clock_.steady_now())) {
    freed_.notify_all();
    co_return;
  }
  co_await end(std::move(instance));
}

Task<void> Places::end(InstancePtr instance) {
  std::vector<InstancePtr> instances;
  instances.push_back(std::move(instance));
  return end(std::move(instances));
}

Task<bool> Places::end_one_idle() {
  InstancePtr idle = pool_.take_least_valuable(clock_.steady_now());
  if (!idle) co_return false;
  co_await end(std::move(idle));
  co_return true;
}

// Ending one blocks until its processes are gone; its place is free only then.
Task<void> Places::end(std::vector<InstancePtr> instances) {
  if (instances.empty()) co_return;
  co_await executor_.offload([&] {
    for (const auto& instance : instances) instance->end();
  });
  for (const auto& instance : instances) pool_.remove(instance->key());
  freed_.notify_all();
  on_ended_();
}

}  // namespace infra::worker
