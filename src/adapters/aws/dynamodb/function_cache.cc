#include "adapters/aws/dynamodb/function_cache.h"

#include <utility>

namespace infra::aws {

std::optional<FunctionCache::Known> FunctionCache::find(const FunctionId& id, SteadyTime now) {
  const MutexLock lock(mutex_);
  if (!by_id_.contains(id)) return std::nullopt;
  const Slot& slot = *use(id, now);
  if (!slot.row || now - slot.read_at > kKnown) return std::nullopt;
  return Known{.row = slot.row, .current = !slot.doubted && now - slot.read_at < kCurrent};
}

FunctionCache::Reading FunctionCache::begin_read(const FunctionId& id, SteadyTime now) {
  const MutexLock lock(mutex_);
  (void)use(id, now);
  return {.id = id, .order = ++order_, .begun = now};
}

bool FunctionCache::finish_read(const Reading& reading, SharedFunction row) {
  const MutexLock lock(mutex_);
  const auto found = by_id_.find(reading.id);
  if (found == by_id_.end()) return false;  // it may have changed while it was forgotten
  Slot& slot = *found->second;
  if (reading.order < slot.changed) return false;
  if (reading.order < slot.read) return true;
  if (!row) {
    forget(found->second);
    return true;
  }
  slot.row = std::move(row);
  slot.read = reading.order;
  slot.read_at = reading.begun;
  slot.doubted = false;
  return true;
}

std::vector<FunctionCache::Reading> FunctionCache::begin_refresh(SteadyTime now) {
  const MutexLock lock(mutex_);
  while (!slots_.empty() && now - slots_.back().used > kKnown) forget(std::prev(slots_.end()));
  std::vector<Reading> readings;
  for (const Slot& slot : slots_) {
    if (now - slot.used > kRecent) break;
    if (slot.row) readings.push_back({.id = slot.id, .order = ++order_, .begun = now});
  }
  return readings;
}

void FunctionCache::changed(const FunctionId& id) {
  const MutexLock lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  found->second->changed = ++order_;
  found->second->row = nullptr;
}

void FunctionCache::all_changed() {
  const MutexLock lock(mutex_);
  ++order_;
  for (Slot& slot : slots_) {
    slot.changed = order_;
    slot.doubted = true;
  }
}

FunctionCache::Slots::iterator FunctionCache::use(const FunctionId& id, SteadyTime now) {
  if (const auto found = by_id_.find(id); found != by_id_.end()) {
    slots_.splice(slots_.begin(), slots_, found->second);
  } else {
    slots_.push_front({.id = id, .changed = ++order_});
    by_id_.emplace(id, slots_.begin());
    if (slots_.size() > capacity_) forget(std::prev(slots_.end()));
  }
  slots_.front().used = now;
  return slots_.begin();
}

void FunctionCache::forget(Slots::iterator slot) {
  by_id_.erase(slot->id);
  slots_.erase(slot);
}

}  // namespace infra::aws
