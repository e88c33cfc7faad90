// The limiter for one program: an exact window a key, in shards so that event threads seldom meet.
#pragma once

#include <array>
#include <list>
#include <string>
#include <unordered_map>

#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/rate_limiter.h"

namespace infra {

// Keys whose window has emptied are dropped as others come in, so memory follows what was let through in one window.
class MemoryRateLimiter final : public RateLimiter {
 public:
  MemoryRateLimiter(RatePolicy policy, const Clock& clock);
  Task<RateDecision> admit(const std::string& key) override;
  Task<RateDecision> admit(const std::string& key, int limit) override;

  // admit(), for a limiter that asks elsewhere as well and may have to take back what was let through here.
  struct Admission {
    RateDecision decision;
    SteadyTime at;
  };
  [[nodiscard]] Admission count(const std::string& key) { return count(key, policy_.limit); }
  [[nodiscard]] Admission count(const std::string& key, int limit);
  void take_back(const std::string& key, const Admission& admission);

  [[nodiscard]] std::size_t tracked_keys() const;  // for tests and metrics; any thread

 private:
  struct Client {
    std::string key;
    SlidingWindow window;
  };
  struct Shard {
    mutable Mutex mutex;
    std::list<Client> clients INFRA_GUARDED_BY(mutex);  // by their last admission, oldest first
    std::unordered_map<std::string_view, std::list<Client>::iterator> by_key
        INFRA_GUARDED_BY(mutex);  // views into the list's keys
  };
  [[nodiscard]] Shard& shard_of(const std::string& key);
  void drop_idle(Shard& shard, SteadyTime now) const INFRA_REQUIRES(shard.mutex);

  const RatePolicy policy_;
  const Clock& clock_;
  std::array<Shard, 64> shards_;
};

}  // namespace infra
