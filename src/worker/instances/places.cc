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
    auto place = pool_.reserve(key, clock_.steady_now());
    if (place.granted) co_return Result<void>();
    if (lifecycle_.phase() == Phase::stopping) co_return fail(errors::shutting_down, "The platform is stopping.");
    if (place.end_first) {
      co_await end(std::move(place.end_first));
    } else {
      co_await freed->wait_until(clock_.steady_now() + kLook);
    }
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
