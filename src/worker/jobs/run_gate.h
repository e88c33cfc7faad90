// The order of runs: whose job gets one of a worker's execution slots, and for functions with a limit of runs at once a
// permit of that function. A run that waits for a permit, or for memory, holds no slot, so that one busy function keeps
// none of the others waiting.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>

#include "core/fair_lines.h"
#include "core/holding.h"
#include "core/job.h"
#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/concurrency_limiter.h"
#include "ports/turns.h"

namespace infra::worker {

struct GateLimits {
  SlotShares slots = SlotShares::of(4);  // and so many again of runs that are over, whose results are being put away
  // Jobs that wait without a slot, and their inputs together; and as many whose results are held back. Those past it
  // keep their slots.
  std::size_t parked = 1000;
  std::uint64_t parked_bytes = 256 * limits::kMiB;
  bool shared = false;  // other workers take permits, too: who waits asks again and again
};

// Any thread. It must outlive all waiters.
class RunGate : public Turns {
 public:
  // One job's way through. Its own coroutine alone uses it.
  class Ticket;
  using TicketPtr = std::shared_ptr<Ticket>;

  // `gives_up` says which jobs no longer wait; it is asked by wake_all(), and calls nothing of the gate. `on_turn` is
  // called when there may be a turn for somebody who is not at the gate yet.
  RunGate(ConcurrencyLimiter& limiter, Clock& clock, GateLimits limits, std::function<bool(const Job&)> gives_up,
          std::function<void()> on_turn);

  // For the queue.
  void join(const FunctionId& function, RunMode mode) override;
  void withdraw(const FunctionId& function, RunMode mode, std::size_t count) override;
  [[nodiscard]] bool any() override;
  [[nodiscard]] std::size_t free_for_all() override;
  [[nodiscard]] std::optional<FairLines::Turn> next() override;
  void note_client(const FunctionId& function) override;
  [[nodiscard]] bool claim(const FunctionId& function, RunMode mode) override;
  void drop(const FunctionId& function) override;

  // Of a job that the queue took a slot for.
  [[nodiscard]] TicketPtr admit(const Job& job);
  // For a slot beside those that are counted: it has it.
  [[nodiscard]] static TicketPtr beside(const Job& job);

  // At once for a function without a limit; else as soon as it has a permit of its function. False if it gave up: then
  // it may have no slot.
  Task<bool> take_permit(TicketPtr ticket, const Job& job);
  // For a wait that needs no slot. Its function's other jobs wait as well, until it comes back. False if it gave up
  // before there was a slot for it.
  void step_aside(const TicketPtr& ticket, const Job& job);
  Task<bool> come_back(TicketPtr ticket, const Job& job);
  // The call is over, or did not come to pass. What is left to do of the job holds its slot only if there is much of
  // that. `held_back`: the bytes of a result that is to be told only in a moment, for which no other job is to wait.
  Task<void> leave(TicketPtr ticket, const Job& job, std::optional<std::uint64_t> held_back = std::nullopt);
  // Gives up the job's part in its function's limit, because it has a result: its client may ask again before that is
  // settled, and is not to find its own run in the way. Once; other times it does nothing.
  Task<void> finish(TicketPtr ticket, LimitedRun run);
  // The ticket's slot and, if the job is done for good, its part in its function's limit.
  Task<void> close(TicketPtr ticket, const Job& job, bool done);
  // As the job's lease is renewed. May overlap with the job's own steps.
  Task<void> renew(TicketPtr ticket, LimitedRun run);

  void wake_all();  // gives_up() may say something else now

  [[nodiscard]] int free_slots() const;         // for anybody or not
  [[nodiscard]] int free_common_slots() const;  // for anybody
  [[nodiscard]] bool anyone_waits() const;      // here or in the queue, as far as it tells
  [[nodiscard]] int running() const;            // slots of jobs that were admitted
  [[nodiscard]] int parked() const;             // who waits for a permit or for memory without a slot
  void list_holdings(Holdings& into) const;

 private:
  struct Line {
    std::list<TicketPtr> waiting;  // the first asks for a permit, the others wait until it has one
    SteadyTime begun;              // since when this worker has gone on taking permits
    SteadyTime not_before;         // when it asks again, after letting others have their turn
  };
  // Of one function, who was parked and waits for a slot again: clients' and others.
  using Returning = std::array<std::deque<TicketPtr>, 2>;

  struct Standing;  // a ticket's part that this mutex guards
  [[nodiscard]] Standing& standing_of(const TicketPtr& ticket) const INFRA_REQUIRES(mutex_);

  Task<bool> await_permit(TicketPtr ticket, const Job& job);
  Task<bool> await_turn(TicketPtr ticket, const FunctionId& function, milliseconds pause);
  [[nodiscard]] bool join_line(const TicketPtr& ticket, const FunctionId& function);
  void drop_out(const TicketPtr& ticket, const FunctionId& function);
  void wake_first(const FunctionId& function);
  [[nodiscard]] bool park(const TicketPtr& ticket, const Job& job, bool holds_line);
  void unpark_locked(Standing& standing, const FunctionId& function) INFRA_REQUIRES(mutex_);
  Task<bool> take_slot(TicketPtr ticket, const Job& job);
  void leave_returning_locked(const TicketPtr& ticket) INFRA_REQUIRES(mutex_);
  // Slots for those at the gate whose turn it is; then whose turn it is in the queue.
  std::optional<FairLines::Turn> serve_locked() INFRA_REQUIRES(mutex_);
  [[nodiscard]] bool admit_returning_locked(const FairLines::Turn& turn) INFRA_REQUIRES(mutex_);
  void free_slot(const TicketPtr& ticket);
  void serve();
  [[nodiscard]] bool may_leave_early(const TicketPtr& ticket, std::optional<std::uint64_t> held_back);

  ConcurrencyLimiter& limiter_;
  Clock& clock_;
  const GateLimits limits_;
  const std::function<bool(const Job&)> gives_up_;
  const std::function<void()> on_turn_;

  mutable Mutex mutex_;
  FairLines slots_ INFRA_GUARDED_BY(mutex_);
  std::unordered_map<FunctionId, Returning> returning_ INFRA_GUARDED_BY(mutex_);
  int claimed_ INFRA_GUARDED_BY(mutex_) = 0;  // slots taken for jobs that may not come: another worker has the lease
  int leaving_ INFRA_GUARDED_BY(mutex_) = 0;
  std::size_t held_back_ INFRA_GUARDED_BY(mutex_) = 0;
  std::uint64_t held_back_bytes_ INFRA_GUARDED_BY(mutex_) = 0;
  std::unordered_map<FunctionId, Line> lines_ INFRA_GUARDED_BY(mutex_);
  std::size_t parked_ INFRA_GUARDED_BY(mutex_) = 0;
  std::uint64_t parked_bytes_ INFRA_GUARDED_BY(mutex_) = 0;
};

}  // namespace infra::worker
