// Leases over a queue that may hand a job out twice: no request id runs in two places at a time, and what is counted is
// how often a job was started, not how often its message was received. A job whose lease ran out before may have taken
// its worker down: a worker has one of them at a time.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/mutex.h"
#include "net/redis/redis_client.h"
#include "ports/clock.h"
#include "ports/job_queue.h"
#include "ports/random.h"
#include "ports/turns.h"

namespace infra {

// A lease is a hash at infra:lease:<request id>: who holds it, until when (server time), and how often the job was
// started. It lives for limits::kVisibility from its taking or renewal, and stays behind for an hour as the memory of
// its starts. It is a hint: where Redis was emptied the log row still decides what counts.
class LeasedJobQueue final : public JobQueue {
 public:
  // Makes a message visible again after a while; best effort.
  using Postpone = std::function<Task<void>(std::string receipt, milliseconds pause)>;

  LeasedJobQueue(JobQueue& inner, net::RedisClient& redis, WorkerId worker, const Clock& clock, Random& random,
                 Postpone postpone);

  Task<Result<void>> enqueue(const Job& job) override { return inner_.enqueue(job); }
  void attach(Turns* turns) override { turns_ = turns; }
  // `unavailable` without asking the queue while Redis is away: a job without a lease could run twice. What is received
  // out of turn is put off: at first for nobody, so that a worker that has a slot gets it; then for longer and longer,
  // so that what is behind it comes into sight.
  Task<Result<std::vector<Delivery>>> receive(int max, milliseconds wait) override;
  // Where Redis answers, the lease alone decides whose the job is.
  Task<Result<void>> extend(const std::string& receipt) override;
  Task<Result<void>> acknowledge(const std::string& receipt) override;
  // While Redis is away the message is held, and given back by the first receive() that reaches Redis again.
  Task<Result<void>> give_back(const std::string& receipt) override;
  Task<Result<void>> bury(const std::string& receipt, const std::string& reason) override;
  void wake_receivers() override { inner_.wake_receivers(); }
  Task<Result<QueueDepth>> depth() override { return inner_.depth(); }

 private:
  struct Lease {
    std::string key;
    std::string holder;  // of this hand-over alone: one worker does not run two copies of a message either
  };
  // A lease that Redis may have though no worker runs the job: an answer never came. The message stays ours until the
  // lease is gone for sure, or its next receiver would put it off for the whole of the lease.
  struct Doubt {
    Lease lease;
    std::string receipt;
  };

  Task<bool> has_turn(const Delivery& delivery);
  Task<bool> acquire(Delivery& delivery);
  // Nullopt: it has the place. Else another suspect does, whose place ends with its lease at the latest: how long this
  // one is to be put off.
  [[nodiscard]] std::optional<milliseconds> take_suspects_place(const std::string& receipt);
  void keep_suspects_place(const std::string& receipt);
  void forget(const std::string& receipt);
  Task<Result<void>> settle_doubts();
  Task<void> hold_doubts();
  Task<Result<void>> let_go(Lease lease, int starts);
  [[nodiscard]] std::optional<Lease> find(const std::string& receipt) const;
  Task<void> finish(std::string receipt);
  [[nodiscard]] std::string new_holder();

  JobQueue& inner_;
  net::RedisClient& redis_;
  const WorkerId worker_;
  const Clock& clock_;
  Random& random_;
  const Postpone postpone_;
  std::atomic<Turns*> turns_ = nullptr;
  mutable Mutex mutex_;
  std::map<std::string, Lease> leases_ INFRA_GUARDED_BY(mutex_);  // by receipt
  std::vector<Doubt> doubts_ INFRA_GUARDED_BY(mutex_);
  std::string suspect_ INFRA_GUARDED_BY(mutex_);  // its receipt; empty: there is none
  SteadyTime suspect_since_ INFRA_GUARDED_BY(mutex_);
  SteadyTime suspect_until_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra
