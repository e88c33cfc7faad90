#include "adapters/memory/memory_rate_limiter.h"

#include <functional>

namespace infra {

MemoryRateLimiter::MemoryRateLimiter(RatePolicy policy, const Clock& clock) : policy_(policy), clock_(clock) {}

Task<RateDecision> MemoryRateLimiter::admit(const std::string& key) {
  co_return count(key).decision;
}

Task<RateDecision> MemoryRateLimiter::admit(const std::string& key, int limit) {
  co_return count(key, limit).decision;
}

MemoryRateLimiter::Shard& MemoryRateLimiter::shard_of(const std::string& key) {
  return shards_[std::hash<std::string>{}(key) % shards_.size()];
}

MemoryRateLimiter::Admission MemoryRateLimiter::count(const std::string& key, int limit) {
  if (limit <= 0) return {};
  const RatePolicy policy{.limit = limit, .window = policy_.window};
  Shard& shard = shard_of(key);
  const MutexLock lock(shard.mutex);
  const SteadyTime now = clock_.steady_now();  // read under the lock: a window's time must not go back
  drop_idle(shard, now);
  auto found = shard.by_key.find(key);
  if (found == shard.by_key.end()) {
    const auto client = shard.clients.insert(shard.clients.end(), Client{.key = key, .window = {}});
    found = shard.by_key.emplace(client->key, client).first;
  }
  const RateDecision decision = found->second->window.admit(policy, now);
  if (decision.allowed) shard.clients.splice(shard.clients.end(), shard.clients, found->second);
  return {decision, now};
}

void MemoryRateLimiter::take_back(const std::string& key, const Admission& admission) {
  if (!admission.decision.allowed) return;
  Shard& shard = shard_of(key);
  const MutexLock lock(shard.mutex);
  const auto found = shard.by_key.find(key);
  if (found != shard.by_key.end()) found->second->window.withdraw(admission.at);
}

void MemoryRateLimiter::drop_idle(Shard& shard, SteadyTime now) const {
  // Two a call outrun the at most one that a call adds, and keep every call short.
  for (int i = 0; i < 2 && !shard.clients.empty() && shard.clients.front().window.is_idle(policy_, now); ++i) {
    shard.by_key.erase(shard.clients.front().key);
    shard.clients.pop_front();
  }
}

std::size_t MemoryRateLimiter::tracked_keys() const {
  std::size_t total = 0;
  for (const auto& shard : shards_) {
    const MutexLock lock(shard.mutex);
    total += shard.clients.size();
  }
  return total;
}

}  // namespace infra
