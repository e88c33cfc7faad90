// The order of waiting jobs and the leases of those handed out: the queue's part in memory. It does no I/O and has no
// clock, so its owner says what time it is.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "adapters/memory/queued_job.h"
#include "adapters/memory/ready_jobs.h"
#include "adapters/memory/suspect_line.h"
#include "core/error.h"
#include "core/holding.h"
#include "core/job.h"
#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/job_queue.h"

namespace infra {

// How much may be unfinished before enqueue() says queue_full. The last eighth is only for functions of which few jobs
// wait.
struct QueueBounds {
  std::size_t memory_jobs = 10'000;
  std::uint64_t memory_bytes = 256ULL * 1024 * 1024;
  std::size_t durable_jobs = 1'000'000;
  std::uint64_t durable_bytes = 64ULL * 1024 * 1024 * 1024;
};

// Any thread.
class JobLine {
 public:
  JobLine(const QueueBounds& bounds, std::int64_t next_seq, std::int64_t dead)
      : bounds_(bounds), next_seq_(next_seq), dead_(dead) {}

  // A place for a durable job, invisible until it is put; given up by release(). `queue_full`, `conflict`.
  [[nodiscard]] Result<std::int64_t> reserve(const Job& job, std::uint64_t bytes);
  void release(const QueuedJob& durable);
  // While it is being written: true if a receiver waits who will be given this job, so that its start can be recorded
  // with it (QueuedJob::start_recorded). The promise ends with put() or release().
  [[nodiscard]] bool promise_receiver(const Job& job);
  void put(QueuedJob durable, const Job& job);
  // At the start, without regard to the bounds: first all suspects' versions, then all jobs.
  void accuse(const CodeVersion& version);
  void restore(QueuedJob durable, const FunctionId& function, const CodeRef& code);
  [[nodiscard]] Result<void> put_in_memory(std::shared_ptr<const Job> job, std::uint64_t bytes);

  // Hands out those whose turn it is, leased until `lease_end`.
  void attach(Turns* turns);
  void drop_turn(const HandOver& taken);  // what was handed out does not run
  [[nodiscard]] std::vector<HandOver> take(std::size_t max, SteadyTime lease_end);
  // Hands out the oldest of those that take() does not give, because they or their versions are suspects.
  [[nodiscard]] std::optional<HandOver> take_suspect(SteadyTime lease_end);
  [[nodiscard]] bool has_suspects() const;  // false once the line is closed
  // Makes jobs with dead leases visible again, one receive dearer. Gives the durable ones. A lease that is looked at
  // much later than it ended lives on for a renewal's time (late_look.h).
  [[nodiscard]] std::vector<QueuedJob> expire(SteadyTime now);
  [[nodiscard]] std::optional<SteadyTime> next_expiry() const;

  [[nodiscard]] std::optional<QueuedJob> leased(const std::string& receipt, SteadyTime now) const;
  [[nodiscard]] bool extend(const std::string& receipt, SteadyTime now, SteadyTime lease_end);
  [[nodiscard]] bool give_back(const std::string& receipt, SteadyTime now);
  // Gone for good, wherever it is.
  void remove(std::int64_t seq);

  // Has `signal` notified when there may be something to take, that of a receiver on the thread that puts it first,
  // which need not be woken on another. False if there is something already, or if the line is closed.
  [[nodiscard]] bool enlist(const std::shared_ptr<Signal>& signal);
  void leave(const std::shared_ptr<Signal>& signal);
  // The same for the one receiver of suspects, and false also if there are none any more.
  [[nodiscard]] bool enlist_for_suspects(const std::shared_ptr<Signal>& signal);
  void wake_one();  // if there is something to take
  // No receiver waits any more, and only sync jobs are handed out, suspects or not.
  void close();
  [[nodiscard]] bool closed() const;

  void add_dead(std::int64_t count);
  [[nodiscard]] QueueDepth depth() const;
  void list_holdings(Holdings& into) const;
  [[nodiscard]] bool holds_code(const std::string& sha256) const;

 private:
  struct Lease {
    QueuedJob queued;
    std::uint64_t hand_over = 0;
    SteadyTime end;
  };
  struct Receiver {
    std::shared_ptr<Signal> signal;
    std::thread::id thread;
  };
  struct Receipt {
    std::int64_t seq = 0;
    std::uint64_t hand_over = 0;
  };
  using Leases = std::map<std::int64_t, Lease>;
  [[nodiscard]] static std::optional<Receipt> parse(const std::string& receipt);
  [[nodiscard]] Leases::const_iterator find(const std::string& receipt, SteadyTime now) const INFRA_REQUIRES(mutex_);
  void make_ready(QueuedJob queued, const FunctionId& function) INFRA_REQUIRES(mutex_);
  void make_ready(QueuedJob queued) INFRA_REQUIRES(mutex_);
  [[nodiscard]] HandOver lease(QueuedJob queued, SteadyTime end) INFRA_REQUIRES(mutex_);
  void move_end(std::int64_t seq, SteadyTime end) INFRA_REQUIRES(mutex_);
  void drop_lease(Leases::const_iterator lease) INFRA_REQUIRES(mutex_);
  void forget(QueuedJob queued) INFRA_REQUIRES(mutex_);
  void wake_if_any() INFRA_REQUIRES(mutex_);
  void wake_next() INFRA_REQUIRES(mutex_);
  void wake_for_suspects() INFRA_REQUIRES(mutex_);
  // Whether there is room for one more job of the function, where so much of it is used.
  [[nodiscard]] bool has_room(const FunctionId& function, bool in_memory, std::uint64_t bytes) const
      INFRA_REQUIRES(mutex_);

  const QueueBounds bounds_;
  mutable Mutex mutex_;
  std::int64_t next_seq_ INFRA_GUARDED_BY(mutex_);
  std::uint64_t next_hand_over_ INFRA_GUARDED_BY(mutex_) = 1;
  ReadyJobs ready_ INFRA_GUARDED_BY(mutex_);
  SuspectLine suspects_ INFRA_GUARDED_BY(mutex_);
  std::shared_ptr<Signal> for_suspects_ INFRA_GUARDED_BY(mutex_);  // who waits for one; or null
  Leases leases_ INFRA_GUARDED_BY(mutex_);
  std::set<std::pair<SteadyTime, std::int64_t>> lease_ends_ INFRA_GUARDED_BY(mutex_);
  std::list<Receiver> receivers_ INFRA_GUARDED_BY(mutex_);  // longest waiting first
  std::size_t promises_ INFRA_GUARDED_BY(mutex_) = 0;
  std::size_t durable_jobs_ INFRA_GUARDED_BY(mutex_) = 0;  // waiting, handed out, or being written
  std::uint64_t durable_bytes_ INFRA_GUARDED_BY(mutex_) = 0;
  std::uint64_t memory_bytes_ INFRA_GUARDED_BY(mutex_) = 0;
  std::unordered_set<RequestId> memory_ids_ INFRA_GUARDED_BY(mutex_);
  std::unordered_map<std::string, int> memory_code_ INFRA_GUARDED_BY(mutex_);  // sha256 -> jobs in memory that name it
  std::int64_t dead_ INFRA_GUARDED_BY(mutex_);
  bool closed_ INFRA_GUARDED_BY(mutex_) = false;
};

}  // namespace infra
