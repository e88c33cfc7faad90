#include "adapters/aws/function_cache.h"

#include <utility>

namespace infra::aws {

std::optional<Function> FunctionCache::find(const FunctionId& id, SteadyTime now) {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  Entry& entry = found->second;
  entry.used = now;
  if (!entry.current || now - entry.verified > kUnverified) return std::nullopt;
  return entry.row;
}

std::uint64_t FunctionCache::begin_read() const {
  const std::scoped_lock lock(mutex_);
  return changes_;
}

void FunctionCache::put(Function row, std::uint64_t begun, SteadyTime now) {
  const std::scoped_lock lock(mutex_);
  if (begun != changes_) return;
  const auto [found, is_new] = entries_.try_emplace(row.id);
  Entry& entry = found->second;
  if (is_new) entry.used = now;
  entry.row = std::move(row);
  entry.current = true;
  entry.verified = now;
}

void FunctionCache::erase(const FunctionId& id, std::uint64_t begun) {
  const std::scoped_lock lock(mutex_);
  if (begun == changes_) entries_.erase(id);
}

void FunctionCache::changed(const FunctionId& id) {
  const std::scoped_lock lock(mutex_);
  ++changes_;
  if (const auto found = entries_.find(id); found != entries_.end()) found->second.current = false;
}

void FunctionCache::all_changed() {
  const std::scoped_lock lock(mutex_);
  ++changes_;
  for (auto& [id, entry] : entries_) entry.current = false;
}

std::vector<FunctionId> FunctionCache::recently_used(SteadyTime now) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(entries_, [now](const auto& item) { return now - item.second.used > kUnverified; });
  std::vector<FunctionId> recent;
  for (const auto& [id, entry] : entries_) {
    if (now - entry.used <= kRecent) recent.push_back(id);
  }
  return recent;
}

}  // namespace infra::aws
