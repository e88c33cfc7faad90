#include "worker/instances/warm_pool.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace infra::worker {
namespace {

// Its processes can't hold more than their limit, whatever was measured at its peak.
int held_by(const Instance& instance) {
  return std::clamp(instance.held_mb(), 1, instance.key().memory_mb);
}

}  // namespace

InstancePtr WarmPool::take(const InstanceKey& key) {
  const std::lock_guard lock(mutex_);
  if (!counts_.contains(key)) return nullptr;  // without looking at a thousand others
  for (auto it = idle_.rbegin(); it != idle_.rend(); ++it) {
    if (it->instance->key() == key) return take_locked(std::next(it).base());
  }
  return nullptr;
}

// From here on it counts with its limit: it is called or ended next.
InstancePtr WarmPool::take_locked(std::list<Idle>::iterator idle) {
  InstancePtr taken = std::move(idle->instance);
  memory_mb_ += taken->key().memory_mb - held_by(*taken);
  idle_.erase(idle);
  return taken;
}

WarmPool::Place WarmPool::reserve(const InstanceKey& key, SteadyTime now, Urgency urgency) {
  const std::lock_guard lock(mutex_);
  const bool fits = instances_ < limits_.instances && memory_mb_ + key.memory_mb <= limits_.memory_mb;
  if (fits || instances_ == 0) {
    ++instances_;
    memory_mb_ += key.memory_mb;
    auto& function = functions_[key.function_id];
    if (function.instances++ == 0) function.current = key;
    ++counts_[key];
    return {.granted = true, .end_first = nullptr};
  }
  return {.granted = false, .end_first = take_least_valuable_locked(now, urgency == Urgency::ahead)};
}

InstancePtr WarmPool::take_least_valuable(SteadyTime now) {
  const std::lock_guard lock(mutex_);
  return take_least_valuable_locked(now);
}

InstancePtr WarmPool::take_least_valuable_locked(SteadyTime now, bool spare_kept) {
  const auto value_of = [&](const Idle& idle) {
    const double seconds = std::chrono::duration<double>(now - idle.since).count();
    return std::pair(is_kept(*idle.instance), idle.instance->cold_start_ms() / held_by(*idle.instance) / (1 + seconds));
  };
  const auto least = std::ranges::min_element(idle_, {}, value_of);
  if (least == idle_.end() || (spare_kept && is_kept(*least->instance))) return nullptr;
  return take_locked(least);
}

// Where there are more than are kept, each of them is one of those that may go.
bool WarmPool::is_kept(const Instance& instance) const {
  const auto kept = kept_.find(instance.key().function_id);
  if (kept == kept_.end()) return false;
  const auto function = functions_.find(instance.key().function_id);
  if (function == functions_.end() || function->second.current != instance.key()) return false;
  const auto count = counts_.find(instance.key());
  return count != counts_.end() && count->second <= kept->second;
}

void WarmPool::keep(const FunctionId& function, int count) {
  const std::lock_guard lock(mutex_);
  if (count > 0) {
    kept_[function] = count;
  } else {
    kept_.erase(function);
  }
}

void WarmPool::keep_none() {
  const std::lock_guard lock(mutex_);
  kept_.clear();
}

int WarmPool::count(const InstanceKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(key);
  return found == counts_.end() ? 0 : found->second;
}

bool WarmPool::put_back(InstancePtr instance, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  const auto function = functions_.find(instance->key().function_id);
  if (function == functions_.end() || function->second.current != instance->key()) return false;
  memory_mb_ -= instance->key().memory_mb - held_by(*instance);
  idle_.push_back({.instance = std::move(instance), .since = now, .resting = std::nullopt});
  return true;
}

bool WarmPool::rest_idle(SteadyTime now, milliseconds patience) {
  const std::lock_guard lock(mutex_);
  int told = 0;
  for (auto& idle : idle_) {
    if (now - idle.since < patience || told == kRestAtOnce) break;
    if (idle.resting) continue;
    idle.instance->let_rest();
    idle.resting = now;
    ++told;
  }
  const bool more = freeze_rested_locked(now);
  return more || told == kRestAtOnce;
}

bool WarmPool::freeze_rested_locked(SteadyTime now) {
  int frozen = 0;
  for (auto& idle : idle_) {
    if (frozen == kRestAtOnce) return true;
    if (!idle.resting || now - *idle.resting < kRestTime || idle.instance->frozen()) continue;
    const int before = held_by(*idle.instance);
    idle.instance->freeze();
    memory_mb_ += held_by(*idle.instance) - before;
    ++frozen;
  }
  return false;
}

void WarmPool::remove(const InstanceKey& key) {
  const std::lock_guard lock(mutex_);
  --instances_;
  memory_mb_ -= key.memory_mb;
  const auto function = functions_.find(key.function_id);
  if (function != functions_.end() && --function->second.instances == 0) functions_.erase(function);
  if (const auto count = counts_.find(key); count != counts_.end() && --count->second == 0) counts_.erase(count);
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

std::vector<InstancePtr> WarmPool::retire(const FunctionId& id) {
  {
    const std::lock_guard lock(mutex_);
    const auto function = functions_.find(id);
    if (function == functions_.end()) return {};
    function->second.current = {};
  }
  return take_idle_if([&](const Idle& idle) { return idle.instance->key().function_id == id; });
}

// Those that are taken here count until they are removed: of a function's kept ones, too many must not go at once.
std::vector<InstancePtr> WarmPool::take_expired(SteadyTime now) {
  std::map<FunctionId, int> taken;
  return take_idle_if([&](const Idle& idle) {
    if (now - idle.since < limits_.idle_timeout) return false;
    const InstanceKey& key = idle.instance->key();
    const auto kept = kept_.find(key.function_id);
    if (kept == kept_.end() || functions_.at(key.function_id).current != key) return true;
    return counts_.at(key) - taken[key.function_id]++ > kept->second;
  });
}

std::vector<InstancePtr> WarmPool::take_dead() {
  return take_idle_if([](const Idle& idle) { return !idle.instance->reusable(); });
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
    const auto found = it++;
    taken.push_back(take_locked(found));
  }
  return taken;
}

}  // namespace infra::worker
