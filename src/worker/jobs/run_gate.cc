#include "worker/jobs/run_gate.h"

#include <algorithm>
#include <atomic>
#include <exception>

#include "telemetry/log.h"

namespace infra::worker {
namespace {

constexpr auto kForever = std::chrono::hours(24);
// How often the first in a line asks: where others take permits too, they don't say when they give one back.
constexpr milliseconds kFirstPause{25};
constexpr milliseconds kLongestPause{100};
constexpr milliseconds kLonelyPause{1000};  // of a worker that gives all permits back itself, or whose limiter is away
// A worker that gives a permit back has the next of its own line ask at once, and would win every time.
constexpr milliseconds kOwnTurn{1000};
constexpr milliseconds kOthersTurn{150};

LimitedRun run_of(const Job& job) {
  return {.function = job.function_id, .request = job.request_id};
}

std::uint64_t size_of(const Job& job) {
  std::uint64_t bytes = sizeof(Job) + job.input.size();
  for (const auto& [name, value] : job.env) bytes += name.size() + value.size();
  return bytes;
}

}  // namespace

struct RunGate::Standing {
  bool slot = false;
  bool beside = false;
  bool leaving = false;
  std::optional<std::uint64_t> held_back;
  bool woken = false;
  bool parked = false;
  std::uint64_t parked_bytes = 0;
  std::shared_ptr<Signal> signal;

  void notify() const {
    if (signal) signal->notify();
  }
};

// Renewals look at the two that are atomic.
class RunGate::Ticket {
 public:
  std::atomic<bool> permit = false;
  std::atomic<bool> finished = false;

 private:
  friend class RunGate;
  Standing standing_;  // by standing_of() only, which needs the lock
};

RunGate::Standing& RunGate::standing_of(const TicketPtr& ticket) const {
  return ticket->standing_;
}

RunGate::RunGate(ConcurrencyLimiter& limiter, Clock& clock, GateLimits limits, std::function<bool(const Job&)> gives_up,
                 std::function<void()> on_free)
    : limiter_(limiter), clock_(clock), limits_(limits), gives_up_(std::move(gives_up)), on_free_(std::move(on_free)) {}

RunGate::TicketPtr RunGate::queue_up() {
  auto ticket = std::make_shared<Ticket>();
  line_up_again(ticket);
  return ticket;
}

RunGate::TicketPtr RunGate::beside() {
  auto ticket = std::make_shared<Ticket>();
  ticket->standing_.beside = true;
  return ticket;
}

void RunGate::line_up_again(const TicketPtr& ticket) {
  const MutexLock lock(mutex_);
  Standing& standing = standing_of(ticket);
  unpark_locked(standing);
  if (running_ < limits_.slots) {
    ++running_;
    standing.slot = true;
  } else {
    for_slot_.push_back(ticket);
  }
}

Task<void> RunGate::take_slot(TicketPtr ticket) {
  while (true) {
    std::shared_ptr<Signal> signal;
    {
      const MutexLock lock(mutex_);
      Standing& standing = standing_of(ticket);
      if (standing.slot || standing.beside) co_return;
      signal = standing.signal = clock_.make_signal();
    }
    co_await signal->wait_until(clock_.steady_now() + kForever);
  }
}

void RunGate::free_slot(const TicketPtr& ticket) {
  {
    const MutexLock lock(mutex_);
    Standing& standing = standing_of(ticket);
    if (!std::exchange(standing.slot, false)) return;
    if (!for_slot_.empty()) {
      Standing& next = standing_of(for_slot_.front());
      next.slot = true;
      next.notify();
      for_slot_.pop_front();
      return;
    }
    --running_;
  }
  on_free_();
}

Task<bool> RunGate::take_permit(TicketPtr ticket, const Job& job) {
  if (job.max_concurrency == 0) co_return true;
  bool permitted = false;
  std::exception_ptr broken;
  try {
    permitted = co_await await_permit(ticket, job);
  } catch (...) {
    broken = std::current_exception();
  }
  drop_out(ticket, job.function_id);  // in any case: the others of its line wait behind it
  if (broken) std::rethrow_exception(broken);
  co_return permitted;
}

Task<bool> RunGate::await_permit(TicketPtr ticket, const Job& job) {
  milliseconds pause = kFirstPause;
  bool first = join(ticket, job.function_id);
  while (true) {
    const auto granted = first ? co_await limiter_.enter(run_of(job), job.max_concurrency) : Result<bool>(false);
    if (granted && *granted) break;
    if (!granted) log::warn("a function's limit could not be asked", {{"code", granted.error().code}});
    const bool parked = park(ticket, job);
    do {
      first = co_await await_turn(ticket, job.function_id, granted && limits_.shared ? pause : kLonelyPause);
      if (gives_up_(job)) co_return false;
    } while (!first);
    pause = std::min(pause * 2, kLongestPause);
    if (!parked) continue;
    line_up_again(ticket);
    co_await take_slot(ticket);
  }
  ticket->permit = true;
  co_return true;
}

// True if it is the first of its line and is to ask now; false if it is woken without that.
Task<bool> RunGate::await_turn(TicketPtr ticket, const FunctionId& function, milliseconds pause) {
  const SteadyTime asks_at = clock_.steady_now() + pause;
  while (true) {
    std::shared_ptr<Signal> signal;
    SteadyTime until = clock_.steady_now() + kForever;
    {
      const MutexLock lock(mutex_);
      const Line& line = lines_.at(function);
      const bool first = line.waiting.front() == ticket;
      if (first) until = std::max(asks_at, line.not_before);
      Standing& standing = standing_of(ticket);
      if (std::exchange(standing.woken, false) || until <= clock_.steady_now()) co_return first;
      signal = standing.signal = clock_.make_signal();
    }
    co_await signal->wait_until(until);
  }
}

bool RunGate::join(const TicketPtr& ticket, const FunctionId& function) {
  const MutexLock lock(mutex_);
  const auto [line, is_new] = lines_.try_emplace(function);
  if (is_new) line->second.begun = clock_.steady_now();
  line->second.waiting.push_back(ticket);
  return is_new;
}

void RunGate::drop_out(const TicketPtr& ticket, const FunctionId& function) {
  {
    const MutexLock lock(mutex_);
    unpark_locked(standing_of(ticket));
    const auto line = lines_.find(function);
    line->second.waiting.remove(ticket);
    if (line->second.waiting.empty()) lines_.erase(line);
  }
  wake_first(function);  // there may be another permit
}

void RunGate::wake_first(const FunctionId& function) {
  const MutexLock lock(mutex_);
  const auto found = lines_.find(function);
  if (found == lines_.end()) return;
  Line& line = found->second;
  const SteadyTime now = clock_.steady_now();
  if (limits_.shared && now - line.begun > kOwnTurn) line.begun = line.not_before = now + kOthersTurn;
  Standing& first = standing_of(line.waiting.front());
  first.woken = first.woken || now >= line.not_before;
  first.notify();  // in any case: it may not know yet that it is the first, and when to ask
}

void RunGate::wake_all() {
  const MutexLock lock(mutex_);
  for (const auto& [function, line] : lines_) {
    for (const auto& ticket : line.waiting) {
      Standing& standing = standing_of(ticket);
      standing.woken = true;
      standing.notify();
    }
  }
}

bool RunGate::park(const TicketPtr& ticket, const Job& job) {
  {
    const MutexLock lock(mutex_);
    const std::uint64_t bytes = size_of(job);
    if (standing_of(ticket).beside) return false;
    if (parked_ >= limits_.parked || parked_bytes_ + bytes > limits_.parked_bytes) return false;
    ++parked_;
    parked_bytes_ += bytes;
    Standing& standing = standing_of(ticket);
    standing.parked = true;
    standing.parked_bytes = bytes;
  }
  free_slot(ticket);
  return true;
}

void RunGate::unpark_locked(Standing& standing) {
  if (!std::exchange(standing.parked, false)) return;
  --parked_;
  parked_bytes_ -= standing.parked_bytes;
}

bool RunGate::may_leave_early(const TicketPtr& ticket, std::optional<std::uint64_t> held_back) {
  const MutexLock lock(mutex_);
  Standing& standing = standing_of(ticket);
  if (!standing.slot) return false;
  if (held_back && held_back_ < limits_.parked && held_back_bytes_ + *held_back <= limits_.parked_bytes) {
    ++held_back_;
    held_back_bytes_ += *held_back;
    standing.held_back = held_back;
    return true;
  }
  if (leaving_ >= limits_.slots) return false;
  ++leaving_;
  standing.leaving = true;
  return true;
}

Task<void> RunGate::leave(TicketPtr ticket, const Job& job, std::optional<std::uint64_t> held_back) {
  if (may_leave_early(ticket, held_back)) free_slot(ticket);
  if (!ticket->permit.exchange(false)) co_return;
  const auto left = co_await limiter_.leave(run_of(job));
  if (!left) log::warn("a function's permit comes back only when its time is over", {{"code", left.error().code}});
  wake_first(job.function_id);
}

Task<void> RunGate::close(TicketPtr ticket, const Job& job, bool done) {
  free_slot(ticket);
  {
    const MutexLock lock(mutex_);
    Standing& standing = standing_of(ticket);
    if (std::exchange(standing.leaving, false)) --leaving_;
    if (const auto bytes = std::exchange(standing.held_back, std::nullopt)) {
      --held_back_;
      held_back_bytes_ -= *bytes;
    }
  }
  if (job.max_concurrency > 0 && done) co_await finish(ticket, run_of(job));
}

Task<void> RunGate::finish(TicketPtr ticket, LimitedRun run) {
  if (ticket->finished.exchange(true)) co_return;
  const auto finished = co_await limiter_.finish(run);
  if (!finished) log::warn("a run counts on until its time is over", {{"code", finished.error().code}});
}

// What was given up while this was on its way is given up again, or it would count until its time is over.
Task<void> RunGate::renew(TicketPtr ticket, LimitedRun run) {
  const bool running = ticket->permit;
  (void)co_await limiter_.renew(run, running);
  if (ticket->finished) {
    (void)co_await limiter_.finish(run);
  } else if (running && !ticket->permit) {
    (void)co_await limiter_.leave(run);
  }
}

int RunGate::free_slots() const {
  const MutexLock lock(mutex_);
  return for_slot_.empty() ? limits_.slots - running_ : 0;
}

int RunGate::running() const {
  const MutexLock lock(mutex_);
  return running_;
}

int RunGate::parked() const {
  const MutexLock lock(mutex_);
  return static_cast<int>(parked_);
}

}  // namespace infra::worker
