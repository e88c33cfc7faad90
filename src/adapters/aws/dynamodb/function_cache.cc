#include "adapters/aws/dynamodb/function_cache.h"

#include <utility>

namespace infra::aws {

std::optional<FunctionCache::Known> FunctionCache::find(const FunctionId& id, SteadyTime now) {
  const MutexLock lock(mutex_);
  if (slots_.peek(id) == nullptr) return std::nullopt;
  const Slot& slot = use_locked(id, now);
  if (!slot.row || now - slot.read_at > kKnown) return std::nullopt;
  return Known{.row = slot.row, .current = !slot.doubted && now - slot.read_at < kCurrent};
}

FunctionCache::Reading FunctionCache::begin_read(const FunctionId& id, SteadyTime now) {
  const MutexLock lock(mutex_);
  use_locked(id, now);
  return {.id = id, .order = ++order_, .begun = now};
}

bool FunctionCache::finish_read(const Reading& reading, SharedFunction row) {
  const MutexLock lock(mutex_);
  Slot* const known = slots_.peek(reading.id);
  if (known == nullptr) return false;  // it may have changed while it was forgotten
  Slot& slot = *known;
  if (reading.order < slot.changed) return false;
  if (reading.order < slot.read) return true;
  if (!row) {
    slots_.erase(reading.id);
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
  while (!slots_.empty() && now - slots_.oldest().used > kKnown) slots_.erase_oldest();
  std::vector<Reading> readings;
  for (const auto& [id, slot] : slots_) {
    if (now - slot.used > kRecent) break;
    if (slot.row) readings.push_back({.id = id, .order = ++order_, .begun = now});
  }
  return readings;
}

void FunctionCache::changed(const FunctionId& id) {
  const MutexLock lock(mutex_);
  Slot* const slot = slots_.peek(id);
  if (slot == nullptr) return;
  slot->changed = ++order_;
  slot->row = nullptr;
}

void FunctionCache::all_changed() {
  const MutexLock lock(mutex_);
  ++order_;
  for (auto& [id, slot] : slots_) {
    slot.changed = order_;
    slot.doubted = true;
  }
}

FunctionCache::Slot& FunctionCache::use_locked(const FunctionId& id, SteadyTime now) {
  Slot& slot = slots_.use_or_make(id, [order = ++order_] { return Slot{.changed = order}; });
  slot.used = now;
  return slot;
}

}  // namespace infra::aws
