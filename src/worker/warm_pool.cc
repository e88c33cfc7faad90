#include "worker/warm_pool.h"

#include <algorithm>
#include <iterator>

namespace infra::worker {

InstancePtr WarmPool::take(const InstanceKey& key) {
  const std::lock_guard lock(mutex_);
  for (auto it = idle_.rbegin(); it != idle_.rend(); ++it) {
    if (it->instance->key() != key) continue;
    InstancePtr taken = std::move(it->instance);
    idle_.erase(std::next(it).base());
    return taken;
  }
  return nullptr;
}

WarmPool::Place WarmPool::reserve(const InstanceKey& key) {
  const std::lock_guard lock(mutex_);
  const bool fits = instances_ < limits_.instances && memory_mb_ + key.memory_mb <= limits_.memory_mb;
  if (fits || instances_ == 0) {
    ++instances_;
    memory_mb_ += key.memory_mb;
    auto& function = functions_[key.function_id];
    if (function.instances++ == 0) function.current = key;
    return {.granted = true, .end_first = nullptr};
  }
  if (idle_.empty()) return {};
  InstancePtr oldest = std::move(idle_.front().instance);
  idle_.pop_front();
  return {.granted = false, .end_first = std::move(oldest)};
}

bool WarmPool::put_back(InstancePtr instance, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  const auto function = functions_.find(instance->key().function_id);
  if (function == functions_.end() || function->second.current != instance->key()) return false;
  idle_.push_back({std::move(instance), now});
  return true;
}

void WarmPool::remove(const InstanceKey& key) {
  const std::lock_guard lock(mutex_);
  --instances_;
  memory_mb_ -= key.memory_mb;
  const auto function = functions_.find(key.function_id);
  if (function != functions_.end() && --function->second.instances == 0) functions_.erase(function);
}

std::vector<InstancePtr> WarmPool::supersede(const InstanceKey& current) {
  {
    const std::lock_guard lock(mutex_);
    const auto function = functions_.find(current.function_id);
    if (function == functions_.end() || function->second.current == current) return {};
    function->second.current = current;
  }
  return take_idle_if([&](const Idle& idle) {
    return idle.instance->key().function_id == current.function_id && idle.instance->key() != current;
  });
}

std::vector<InstancePtr> WarmPool::take_expired(SteadyTime now) {
  return take_idle_if([&](const Idle& idle) { return now - idle.since >= limits_.idle_timeout; });
}

std::vector<InstancePtr> WarmPool::take_all_idle() {
  return take_idle_if([](const Idle&) { return true; });
}

std::map<Runtime, int> WarmPool::idle_by_runtime() const {
  const std::lock_guard lock(mutex_);
  std::map<Runtime, int> counts;
  for (const auto& idle : idle_) ++counts[idle.instance->key().runtime];
  return counts;
}

template <typename Predicate>
std::vector<InstancePtr> WarmPool::take_idle_if(Predicate predicate) {
  const std::lock_guard lock(mutex_);
  std::vector<InstancePtr> taken;
  for (auto it = idle_.begin(); it != idle_.end();) {
    if (!predicate(*it)) {
      ++it;
      continue;
    }
    taken.push_back(std::move(it->instance));
    it = idle_.erase(it);
  }
  return taken;
}

}  // namespace infra::worker
