// Which instances exist: those that wait warm for their function's next call, and room for more. It only keeps the
// books; starting and ending instances blocks, and is its caller's.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/time.h"
#include "worker/instances/instance.h"

namespace infra::worker {

struct PoolLimits {
  int instances = 4;     // running or idle
  int memory_mb = 4096;  // the sum of what idle ones hold and running ones may use
  milliseconds idle_timeout = std::chrono::minutes(10);
};

using InstancePtr = std::shared_ptr<Instance>;

// Any thread. An instance holds its place until remove(), which comes after it has really ended.
class WarmPool {
 public:
  explicit WarmPool(PoolLimits limits) : limits_(limits) {}

  // The idle instance for this key that ran last; null if there is none.
  [[nodiscard]] InstancePtr take(const InstanceKey& key);

  // A place for a new instance; or else the least valuable idle one to end first (then remove() and ask again); or else
  // neither: wait until something is put back or removed. A function larger than the whole budget runs alone.
  struct Place {
    bool granted = false;
    InstancePtr end_first;
  };
  enum class Urgency : std::uint8_t {
    wanted,  // a run waits for it
    ahead,   // no run yet: kept ones do not end for it
  };
  [[nodiscard]] Place reserve(const InstanceKey& key, SteadyTime now, Urgency urgency = Urgency::wanted);

  // After a call. False if it is to be ended instead, because its function has newer code or settings.
  [[nodiscard]] bool put_back(InstancePtr instance, SteadyTime now);
  void remove(const InstanceKey& key);  // the place is free again

  // Notes which version of a function is asked for now; gives the idle ones of others.
  [[nodiscard]] std::vector<InstancePtr> supersede(const InstanceKey& current);
  // The function is gone: gives its idle ones; none is put back any more until a run asks for it again.
  [[nodiscard]] std::vector<InstancePtr> retire(const FunctionId& function);

  // Of the version that was asked for last, so many do not expire, and are the last to make room. 0: none.
  void keep(const FunctionId& function, int count);
  void keep_none();
  [[nodiscard]] int count(const InstanceKey& key) const;  // running or idle

  [[nodiscard]] std::vector<InstancePtr> take_expired(SteadyTime now);
  [[nodiscard]] std::vector<InstancePtr> take_dead();  // those that ended while idle
  [[nodiscard]] std::vector<InstancePtr> take_all_idle();
  // The one that is missed least: by the cost of its cold start, the memory that it holds and the time since its last
  // call. Null if none is idle.
  [[nodiscard]] InstancePtr take_least_valuable(SteadyTime now);
  // Lets those rest that have been idle for `patience`, and freezes those that have had kRestTime for it, so that
  // nothing in them runs on; one that is called sooner pays nothing. A few at a time, for no run gets an instance
  // meanwhile: true if there may be more. Some system calls each.
  [[nodiscard]] bool rest_idle(SteadyTime now, milliseconds patience);
  static constexpr milliseconds kRestTime{500};
  static constexpr int kRestAtOnce = 16;

  [[nodiscard]] std::map<Runtime, int> idle_by_runtime() const;

 private:
  struct Idle {
    InstancePtr instance;
    SteadyTime since;
    std::optional<SteadyTime> resting;  // since when
  };
  [[nodiscard]] bool freeze_rested_locked(SteadyTime now);
  struct FunctionState {
    InstanceKey current;
    int instances = 0;
  };

  template <typename Predicate>
  std::vector<InstancePtr> take_idle_if(Predicate predicate);
  InstancePtr take_locked(std::list<Idle>::iterator idle);
  InstancePtr take_least_valuable_locked(SteadyTime now, bool spare_kept = false);
  [[nodiscard]] bool is_kept(const Instance& instance) const;

  const PoolLimits limits_;
  mutable std::mutex mutex_;
  std::list<Idle> idle_;  // least recently used first
  int instances_ = 0;
  int memory_mb_ = 0;
  std::map<FunctionId, FunctionState> functions_;  // those that have instances
  std::map<InstanceKey, int> counts_;              // of running and idle ones
  std::map<FunctionId, int> kept_;                 // how many are kept
};

}  // namespace infra::worker
