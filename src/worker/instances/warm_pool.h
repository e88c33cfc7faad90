// Which instances exist: those that wait warm for their function's next call, and room for more. It only keeps the
// books; starting and ending instances blocks, and is its caller's.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <vector>

#include "core/holding.h"
#include "core/mutex.h"
#include "core/time.h"
#include "worker/instances/instance.h"

namespace infra::worker {

struct PoolLimits {
  int instances = 4;     // running or idle
  int memory_mb = 4096;  // the sum of what idle ones hold and running ones may use
  milliseconds idle_timeout = std::chrono::minutes(10);
};

// Any thread. An instance holds its place until remove(), which comes after it has really ended.
class WarmPool {
 public:
  explicit WarmPool(PoolLimits limits) : limits_(limits) {}

  // The idle instance for this key that ran last; null if there is none.
  [[nodiscard]] InstancePtr take(const InstanceKey& key);

  // A place for a new instance; or else the least valuable idle one to end first (then remove() and ask again); or else
  // neither: wait until something is put back or removed. A function larger than the whole budget runs alone. The last
  // eighth of the memory is only for functions that have nothing running, and as much of what others' idle instances
  // hold ends only for those.
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

  // Notes the version of a function that runs ask for; gives the idle instances of others. None, if another version is
  // kept: a job may have been accepted before its function's last change.
  [[nodiscard]] std::vector<InstancePtr> supersede(const InstanceKey& current);
  // The function is gone: gives its idle ones; none is put back any more until a run asks for it again.
  [[nodiscard]] std::vector<InstancePtr> retire(const FunctionId& function);

  // So many of this version do not expire, and are the last to make room. 0: none of its function.
  void keep(const InstanceKey& version, int count);
  void keep_none_of(const FunctionId& function);
  // The same of the version that was asked for last, until keep() says it better.
  void keep_for_jobs(const FunctionId& function, int count);
  void keep_none_for_jobs();
  [[nodiscard]] int count(const InstanceKey& key) const;  // running or idle

  [[nodiscard]] std::vector<InstancePtr> take_expired(SteadyTime now);
  [[nodiscard]] std::vector<InstancePtr> take_dead();  // those that ended while idle
  [[nodiscard]] std::vector<InstancePtr> take_all_idle();
  // The one that is missed least: by the cost of its cold start, the memory that it holds and the time since its last
  // call. Null if none is idle.
  [[nodiscard]] InstancePtr take_least_valuable(SteadyTime now);
  // Asks those that have been idle for `patience` to give memory back, and freezes those that have had kTrimTime for
  // it, so that nothing in them runs on; one that is called sooner pays nothing. A few at a time, for no run gets an
  // instance meanwhile: true if there may be more. Some system calls each.
  [[nodiscard]] bool trim_idle(SteadyTime now, milliseconds patience);
  // Whether that would do anything. Does not block.
  [[nodiscard]] bool can_trim(SteadyTime now, milliseconds patience) const;
  static constexpr milliseconds kTrimTime{500};
  static constexpr int kTrimAtOnce = 16;

  [[nodiscard]] std::map<Runtime, int> idle_by_runtime() const;
  void list_holdings(Holdings& into) const;  // what idle instances hold is none

 private:
  struct Idle {
    InstancePtr instance;
    SteadyTime since;
    SteadyTime trimmed{};  // when it was asked to give memory back
  };
  using IdleList = std::list<Idle>;
  struct FunctionState {
    InstanceKey current;
    int instances = 0;
    int busy = 0;  // of those, not idle
  };
  struct Kept {
    std::optional<InstanceKey> version;  // none where only jobs have told of it
    int count = 0;
  };

  template <typename Predicate>
  std::vector<InstancePtr> take_idle_if(Predicate predicate) INFRA_EXCLUDES(mutex_);
  InstancePtr take_locked(IdleList::iterator idle) INFRA_REQUIRES(mutex_);
  InstancePtr take_least_valuable_locked(SteadyTime now, bool spare_kept = false,
                                         const FunctionId* sparing_others = nullptr) INFRA_REQUIRES(mutex_);
  [[nodiscard]] int idle_mb_of_others(const FunctionId& function) const INFRA_REQUIRES(mutex_);
  [[nodiscard]] int newcomers_mb() const { return limits_.memory_mb / 8; }
  [[nodiscard]] bool is_kept(const Instance& instance) const INFRA_REQUIRES(mutex_);
  [[nodiscard]] bool is_expired(const Idle& idle, SteadyTime now, std::map<FunctionId, int>& taken) const
      INFRA_REQUIRES(mutex_);
  [[nodiscard]] bool freeze_trimmed_locked(SteadyTime now) INFRA_REQUIRES(mutex_);

  const PoolLimits limits_;
  mutable Mutex mutex_;
  IdleList idle_ INFRA_GUARDED_BY(mutex_);  // least recently used first
  int instances_ INFRA_GUARDED_BY(mutex_) = 0;
  int memory_mb_ INFRA_GUARDED_BY(mutex_) = 0;
  std::map<FunctionId, FunctionState> functions_ INFRA_GUARDED_BY(mutex_);  // those that have instances
  std::map<InstanceKey, int> counts_ INFRA_GUARDED_BY(mutex_);              // of running and idle ones
  std::map<FunctionId, Kept> kept_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra::worker
