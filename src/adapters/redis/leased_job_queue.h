// Leases over a queue that may hand a job out twice: no request id runs in two places at a time, and what is counted is
// how often a job was started, not how often its message was received. A job whose lease ran out before may have taken
// its worker down: a worker has one slot for such suspects, and the others that it received wait for that here.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/redis/waiting_suspects.h"
#include "core/mutex.h"
#include "net/redis/redis_client.h"
#include "ports/clock.h"
#include "ports/job_queue.h"
#include "ports/quarantine.h"
#include "ports/random.h"
#include "ports/suspect_queue.h"
#include "ports/turns.h"

namespace infra {

// A lease is a hash at infra:lease:<request id>: who holds it, until when (server time), and how often the job was
// started. It lives for limits::kVisibility from its taking or renewal, and stays behind for an hour as the memory of
// its starts. It is a hint: where Redis was emptied the log row still decides what counts.
class LeasedJobQueue final : public JobQueue, public SuspectQueue {
 public:
  // Makes a message visible again after a while; best effort.
  using Postpone = std::function<Task<void>(std::string receipt, milliseconds pause)>;

  LeasedJobQueue(JobQueue& inner, net::RedisClient& redis, WorkerId worker, Clock& clock, Random& random,
                 Postpone postpone, const Quarantine* quarantine = nullptr);

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
  void wake_receivers() override;
  Task<Result<QueueDepth>> depth() override { return inner_.depth(); }

  [[nodiscard]] bool has_suspects() const override;
  void begin_suspects() override;
  // A suspect that waits has no lease: a crash costs it no start, and it may be another's by the time that it is asked
  // for. Where the slot is not open yet or taken for long, or too many wait, suspects are put off as what comes out of
  // turn is.
  Task<Result<std::optional<Delivery>>> receive_suspect() override;
  Task<void> end_suspects() override;
  [[nodiscard]] std::size_t suspects_waiting() const;

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

  enum class Slot : std::uint8_t { common, suspects };
  enum class Claim : std::uint8_t {
    granted,
    none,     // it runs elsewhere and is put off, or Redis doesn't say
    suspect,  // its lease is free and still is: it is only for the suspects' slot, unless it is not to be started
  };

  // Without Redis nothing is taken.
  Task<Result<void>> reach_redis();
  Task<bool> has_turn(const Delivery& delivery);
  Task<Claim> acquire(Delivery& delivery, Slot slot);
  [[nodiscard]] bool is_refused(const Delivery& delivery) const;
  Task<void> line_up(Delivery delivery, SteadyTime received);
  [[nodiscard]] std::optional<WaitingSuspects::Waiting> take_suspect();
  Task<bool> keep_out_of_sight(const WaitingSuspects::Waiting& suspect);
  [[nodiscard]] bool is_in_suspects_slot(const std::string& receipt) const;
  Task<void> give_suspects_back();
  void close_line();
  void forget(const std::string& receipt);
  Task<Result<void>> settle_doubts();
  Task<void> hold_doubts();
  Task<Result<void>> let_go(Lease lease, int starts, bool in_doubt = false);
  [[nodiscard]] std::optional<Lease> find(const std::string& receipt) const;
  Task<void> finish(std::string receipt);
  [[nodiscard]] std::string new_holder();

  JobQueue& inner_;
  net::RedisClient& redis_;
  const WorkerId worker_;
  Clock& clock_;
  Random& random_;
  const Postpone postpone_;
  const Quarantine* const quarantine_;  // null: none
  std::atomic<Turns*> turns_ = nullptr;
  mutable Mutex mutex_;
  std::map<std::string, Lease> leases_ INFRA_GUARDED_BY(mutex_);  // by receipt
  std::vector<Doubt> doubts_ INFRA_GUARDED_BY(mutex_);
  WaitingSuspects suspects_ INFRA_GUARDED_BY(mutex_);
  std::shared_ptr<Signal> for_suspects_ INFRA_GUARDED_BY(mutex_);  // who waits for one; or null
  bool closed_ INFRA_GUARDED_BY(mutex_) = false;                   // to suspects
};

}  // namespace infra
