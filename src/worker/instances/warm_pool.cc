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
  const MutexLock lock(mutex_);
  if (!counts_.contains(key)) return nullptr;  // without looking at a thousand others
  for (auto it = idle_.rbegin(); it != idle_.rend(); ++it) {
    if (it->instance->key() == key) return take_locked(std::next(it).base());
  }
  return nullptr;
}

// From here on it counts with its limit: it is called or ended next.
InstancePtr WarmPool::take_locked(IdleList::iterator idle) {
  InstancePtr taken = std::move(idle->instance);
  memory_mb_ += taken->key().memory_mb - held_by(*taken);
  ++functions_.at(taken->key().function_id).busy;
  idle_.erase(idle);
  return taken;
}

WarmPool::Place WarmPool::reserve(const InstanceKey& key, SteadyTime now, Urgency urgency) {
  const MutexLock lock(mutex_);
  const bool ahead = urgency == Urgency::ahead;
  const auto known = functions_.find(key.function_id);
  const bool newcomer = !ahead && (known == functions_.end() || known->second.busy == 0);
  const int most_mb = limits_.memory_mb - (newcomer ? 0 : newcomers_mb());
  const bool fits = instances_ < limits_.instances && memory_mb_ + key.memory_mb <= most_mb;
  if (fits || instances_ == 0) {
    ++instances_;
    memory_mb_ += key.memory_mb;
    auto& function = functions_[key.function_id];
    if (function.instances++ == 0) function.current = key;
    ++function.busy;
    ++counts_[key];
    return {.granted = true, .end_first = nullptr};
  }
  const bool spares_others = !newcomer && !ahead && instances_ < limits_.instances;
  return {.granted = false,
          .end_first = take_least_valuable_locked(now, ahead, spares_others ? &key.function_id : nullptr)};
}

InstancePtr WarmPool::take_least_valuable(SteadyTime now) {
  const MutexLock lock(mutex_);
  return take_least_valuable_locked(now);
}

InstancePtr WarmPool::take_least_valuable_locked(SteadyTime now, bool spare_kept, const FunctionId* sparing_others) {
  const int spare_mb = sparing_others == nullptr ? 0 : idle_mb_of_others(*sparing_others) - newcomers_mb();
  auto least = idle_.end();
  std::pair<bool, double> least_value;
  for (auto it = idle_.begin(); it != idle_.end(); ++it) {
    const Instance& instance = *it->instance;
    const bool spared = sparing_others != nullptr && instance.key().function_id != *sparing_others;
    if (spared && held_by(instance) > spare_mb) continue;
    const double seconds = std::chrono::duration<double>(now - it->since).count();
    const std::pair value(is_kept(instance), instance.cold_start_ms() / held_by(instance) / (1 + seconds));
    if (least != idle_.end() && value >= least_value) continue;
    least = it;
    least_value = value;
  }
  if (least == idle_.end() || (spare_kept && least_value.first)) return nullptr;
  return take_locked(least);
}

int WarmPool::idle_mb_of_others(const FunctionId& function) const {
  int sum = 0;
  for (const auto& idle : idle_) {
    if (idle.instance->key().function_id != function) sum += held_by(*idle.instance);
  }
  return sum;
}

// Where there are more than are kept, each of them is one of those that may go.
bool WarmPool::is_kept(const Instance& instance) const {
  const auto kept = kept_.find(instance.key().function_id);
  if (kept == kept_.end()) return false;
  const auto function = functions_.find(instance.key().function_id);
  if (function == functions_.end() || function->second.current != instance.key()) return false;
  const auto count = counts_.find(instance.key());
  return count != counts_.end() && count->second <= kept->second.count;
}

void WarmPool::keep(const InstanceKey& version, int count) {
  if (count == 0) return keep_none_of(version.function_id);
  const MutexLock lock(mutex_);
  kept_.insert_or_assign(version.function_id, Kept{.version = version, .count = count});
}

void WarmPool::keep_none_of(const FunctionId& function) {
  const MutexLock lock(mutex_);
  kept_.erase(function);
}

void WarmPool::keep_for_jobs(const FunctionId& function, int count) {
  const MutexLock lock(mutex_);
  const auto known = kept_.find(function);
  if (known != kept_.end() && known->second.version) return;
  if (count > 0) {
    kept_.insert_or_assign(function, Kept{.version = std::nullopt, .count = count});
  } else if (known != kept_.end()) {
    kept_.erase(known);
  }
}

void WarmPool::keep_none_for_jobs() {
  const MutexLock lock(mutex_);
  std::erase_if(kept_, [](const auto& kept) { return !kept.second.version; });
}

int WarmPool::count(const InstanceKey& key) const {
  const MutexLock lock(mutex_);
  const auto found = counts_.find(key);
  return found == counts_.end() ? 0 : found->second;
}

bool WarmPool::put_back(InstancePtr instance, SteadyTime now) {
  const MutexLock lock(mutex_);
  const auto function = functions_.find(instance->key().function_id);
  if (function == functions_.end() || function->second.current != instance->key()) return false;
  memory_mb_ -= instance->key().memory_mb - held_by(*instance);
  --function->second.busy;
  idle_.push_back({.instance = std::move(instance), .since = now});
  return true;
}

bool WarmPool::trim_idle(SteadyTime now, milliseconds patience) {
  const MutexLock lock(mutex_);
  int asked = 0;
  for (auto& idle : idle_) {
    if (now - idle.since < patience || asked == kTrimAtOnce) break;
    if (idle.instance->state() != State::idle) continue;
    idle.instance->trim();
    idle.trimmed = now;
    ++asked;
  }
  const bool more = freeze_trimmed_locked(now);
  return more || asked == kTrimAtOnce;
}

bool WarmPool::can_trim(SteadyTime now, milliseconds patience) const {
  const MutexLock lock(mutex_);
  return std::ranges::any_of(idle_, [&](const Idle& idle) {
    const State state = idle.instance->state();
    return state == State::trimming || (state == State::idle && now - idle.since >= patience);
  });
}

bool WarmPool::freeze_trimmed_locked(SteadyTime now) {
  int frozen = 0;
  for (auto& idle : idle_) {
    if (frozen == kTrimAtOnce) return true;
    if (idle.instance->state() != State::trimming || now - idle.trimmed < kTrimTime) continue;
    const int before = held_by(*idle.instance);
    idle.instance->freeze();
    memory_mb_ += held_by(*idle.instance) - before;
    ++frozen;
  }
  return false;
}

void WarmPool::remove(const InstanceKey& key) {
  const MutexLock lock(mutex_);
  --instances_;
  memory_mb_ -= key.memory_mb;
  const auto function = functions_.find(key.function_id);
  if (function != functions_.end()) {
    --function->second.busy;
    if (--function->second.instances == 0) functions_.erase(function);
  }
  if (const auto count = counts_.find(key); count != counts_.end() && --count->second == 0) counts_.erase(count);
}

std::vector<InstancePtr> WarmPool::supersede(const InstanceKey& current) {
  {
    const MutexLock lock(mutex_);
    const auto function = functions_.find(current.function_id);
    if (function == functions_.end() || function->second.current == current) return {};
    const auto kept = kept_.find(current.function_id);
    if (kept != kept_.end() && kept->second.version && kept->second.version != current) return {};
    function->second.current = current;
  }
  return take_idle_if([&](const Idle& idle) {
    return idle.instance->key().function_id == current.function_id && idle.instance->key() != current;
  });
}

std::vector<InstancePtr> WarmPool::retire(const FunctionId& id) {
  {
    const MutexLock lock(mutex_);
    const auto function = functions_.find(id);
    if (function == functions_.end()) return {};
    function->second.current = {};
  }
  return take_idle_if([&](const Idle& idle) { return idle.instance->key().function_id == id; });
}

std::vector<InstancePtr> WarmPool::take_expired(SteadyTime now) {
  const MutexLock lock(mutex_);
  std::vector<InstancePtr> expired;
  std::map<FunctionId, int> taken;
  for (auto it = idle_.begin(); it != idle_.end();) {
    const auto idle = it++;
    if (is_expired(*idle, now, taken)) expired.push_back(take_locked(idle));
  }
  return expired;
}

// Those that are taken count until they are removed: of a function's kept ones, too many must not go at once.
bool WarmPool::is_expired(const Idle& idle, SteadyTime now, std::map<FunctionId, int>& taken) const {
  if (now - idle.since < limits_.idle_timeout) return false;
  const InstanceKey& key = idle.instance->key();
  const auto kept = kept_.find(key.function_id);
  if (kept == kept_.end() || functions_.at(key.function_id).current != key) return true;
  return counts_.at(key) - taken[key.function_id]++ > kept->second.count;
}

std::vector<InstancePtr> WarmPool::take_dead() {
  return take_idle_if([](const Idle& idle) { return !idle.instance->reusable(); });
}

std::vector<InstancePtr> WarmPool::take_all_idle() {
  return take_idle_if([](const Idle&) { return true; });
}

std::map<Runtime, int> WarmPool::idle_by_runtime() const {
  const MutexLock lock(mutex_);
  std::map<Runtime, int> counts;
  for (const auto& idle : idle_) ++counts[idle.instance->key().runtime];
  return counts;
}

void WarmPool::list_holdings(Holdings& into) const {
  const MutexLock lock(mutex_);
  int idle_mb = 0;
  for (const auto& idle : idle_) idle_mb += held_by(*idle.instance);
  std::uint64_t busy = 0;
  for (const auto& [function, state] : functions_) busy += static_cast<std::uint64_t>(state.busy);
  const auto instances = static_cast<std::uint64_t>(limits_.instances);
  into.insert(into.end(), {{"places of instances", static_cast<std::uint64_t>(instances_) - idle_.size(), instances},
                           {"functions' places of instances", busy, instances},
                           {"MiB of instances", static_cast<std::uint64_t>(memory_mb_ - idle_mb),
                            static_cast<std::uint64_t>(limits_.memory_mb)}});
}

template <typename Predicate>
std::vector<InstancePtr> WarmPool::take_idle_if(Predicate predicate) {
  const MutexLock lock(mutex_);
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
