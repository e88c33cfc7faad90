// Quarantines of a fleet: counted and kept in Redis by its own clock, and known by heart in every program.
#pragma once

#include "adapters/memory/quarantine_list.h"
#include "net/redis/redis_client.h"
#include "ports/clock.h"
#include "ports/quarantine.h"

namespace infra {

// A version's lost jobs are a sorted set at infra:lost:<function>:<version>, by their time; the quarantines that last
// are fields of the hash infra:quarantine. Another program learns of one within kLookInterval. While Redis is away what
// was last known holds.
class RedisQuarantine final : public Quarantine {
 public:
  static constexpr std::chrono::seconds kLookInterval{5};

  RedisQuarantine(net::RedisClient& redis, Clock& clock) : redis_(redis), clock_(clock) {}

  [[nodiscard]] std::optional<milliseconds> remaining(const FunctionId& function, const CodeRef& code) const override {
    return list_.remaining(function, code, clock_.steady_now());
  }
  Task<void> note_lost(const Job& job) override;

  Task<void> look();
  Task<void> watch();  // looks until the program ends

 private:
  net::RedisClient& redis_;
  Clock& clock_;
  QuarantineList list_;
};

}  // namespace infra
