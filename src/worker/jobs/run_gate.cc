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
  SteadyTime slot_since;
  bool leaving = false;
  std::optional<std::uint64_t> held_back;
  bool woken = false;
  bool parked = false;
  bool holds_line = false;
  std::uint64_t parked_bytes = 0;
  std::shared_ptr<Signal> signal;

  void notify() const {
    if (signal) signal->notify();
  }
};

// Renewals look at the two that are atomic.
class RunGate::Ticket {
 public:
  explicit Ticket(const Job& job) : function(job.function_id), mode(job.mode) {}
  const FunctionId function;
  const RunMode mode;
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
                 std::function<void()> on_turn)
    : limiter_(limiter),
      clock_(clock),
      limits_(limits),
      gives_up_(std::move(gives_up)),
      on_turn_(std::move(on_turn)),
      slots_(limits.slots) {}

void RunGate::join(const FunctionId& function, RunMode mode) {
  const MutexLock lock(mutex_);
  slots_.join(function, mode);
}

void RunGate::withdraw(const FunctionId& function, RunMode mode, std::size_t count) {
  const MutexLock lock(mutex_);
  slots_.withdraw(function, mode, count);
}

std::size_t RunGate::free_for_all() {
  return static_cast<std::size_t>(free_common_slots());
}

bool RunGate::any() {
  const MutexLock lock(mutex_);
  return serve_locked().has_value();
}

std::optional<FairLines::Turn> RunGate::next() {
  const MutexLock lock(mutex_);
  auto turn = serve_locked();
  if (turn) {
    slots_.begin(*turn);
    ++claimed_;
  }
  return turn;
}

void RunGate::note_client(const FunctionId& function) {
  const MutexLock lock(mutex_);
  slots_.note_client(function);
}

bool RunGate::claim(const FunctionId& function, RunMode mode) {
  const MutexLock lock(mutex_);
  const bool begun = slots_.begin_now(function, mode);
  claimed_ += begun ? 1 : 0;
  return begun;
}

void RunGate::drop(const FunctionId& function) {
  const MutexLock lock(mutex_);
  --claimed_;
  slots_.end(function, FairLines::SlotTime{});
  (void)serve_locked();
}

RunGate::TicketPtr RunGate::admit(const Job& job) {
  auto ticket = std::make_shared<Ticket>(job);
  const MutexLock lock(mutex_);
  --claimed_;
  Standing& standing = standing_of(ticket);
  standing.slot = true;
  standing.slot_since = clock_.steady_now();
  return ticket;
}

RunGate::TicketPtr RunGate::beside(const Job& job) {
  auto ticket = std::make_shared<Ticket>(job);
  ticket->standing_.beside = true;
  return ticket;
}

std::optional<FairLines::Turn> RunGate::serve_locked() {
  while (auto turn = slots_.next()) {
    if (!admit_returning_locked(*turn)) return turn;
  }
  return std::nullopt;
}

// The oldest of the function's, before those that are still in the queue.
bool RunGate::admit_returning_locked(const FairLines::Turn& turn) {
  const auto found = returning_.find(turn.function);
  if (found == returning_.end()) return false;
  auto& [clients, others] = found->second;
  if (turn.client && clients.empty()) return false;
  auto& line = clients.empty() ? others : clients;
  Standing& standing = standing_of(line.front());
  slots_.begin(turn);
  if (!turn.client && line.front()->mode == RunMode::sync) slots_.note_client(turn.function);
  standing.slot = true;
  standing.slot_since = clock_.steady_now();
  standing.notify();
  line.pop_front();
  if (clients.empty() && others.empty()) returning_.erase(found);
  return true;
}

Task<bool> RunGate::take_slot(TicketPtr ticket, const Job& job) {
  while (true) {
    std::shared_ptr<Signal> signal;
    {
      const MutexLock lock(mutex_);
      Standing& standing = standing_of(ticket);
      if (standing.slot) co_return true;
      if (gives_up_(job)) {
        leave_returning_locked(ticket);
        co_return false;
      }
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
    const auto used = clock_.steady_now() - standing.slot_since;
    slots_.end(ticket->function, std::chrono::duration_cast<FairLines::SlotTime>(used));
  }
  serve();
}

void RunGate::serve() {
  {
    const MutexLock lock(mutex_);
    (void)serve_locked();
    if (slots_.free_slots() == 0) return;
  }
  on_turn_();
}

void RunGate::step_aside(const TicketPtr& ticket, const Job& job) {
  (void)park(ticket, job, true);
}

// In the line again, before those of its function that are still in the queue. Others of its function may still be
// aside: they do not hold the line for one that has what it waited for.
Task<bool> RunGate::come_back(TicketPtr ticket, const Job& job) {
  {
    const MutexLock lock(mutex_);
    Standing& standing = standing_of(ticket);
    unpark_locked(standing, ticket->function);
    if (standing.slot || standing.beside) co_return true;
    slots_.join(ticket->function, ticket->mode);
    returning_[ticket->function][ticket->mode == RunMode::sync ? 0 : 1].push_back(ticket);
  }
  serve();
  co_return co_await take_slot(ticket, job);
}

void RunGate::leave_returning_locked(const TicketPtr& ticket) {
  const auto found = returning_.find(ticket->function);
  auto& [clients, others] = found->second;
  std::erase(ticket->mode == RunMode::sync ? clients : others, ticket);
  if (clients.empty() && others.empty()) returning_.erase(found);
  slots_.withdraw(ticket->function, ticket->mode);
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
  bool first = join_line(ticket, job.function_id);
  while (true) {
    const auto granted = first ? co_await limiter_.enter(run_of(job), job.max_concurrency) : Result<bool>(false);
    if (granted && *granted) break;
    if (!granted) log::warn("a function's limit could not be asked", {{"code", granted.error().code}});
    const bool parked = park(ticket, job, false);
    do {
      first = co_await await_turn(ticket, job.function_id, granted && limits_.shared ? pause : kLonelyPause);
      if (gives_up_(job)) co_return false;
    } while (!first);
    pause = std::min(pause * 2, kLongestPause);
    if (parked && !co_await come_back(ticket, job)) co_return false;
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

bool RunGate::join_line(const TicketPtr& ticket, const FunctionId& function) {
  const MutexLock lock(mutex_);
  const auto [line, is_new] = lines_.try_emplace(function);
  if (is_new) line->second.begun = clock_.steady_now();
  line->second.waiting.push_back(ticket);
  return is_new;
}

void RunGate::drop_out(const TicketPtr& ticket, const FunctionId& function) {
  {
    const MutexLock lock(mutex_);
    unpark_locked(standing_of(ticket), function);
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
  for (const auto& [function, kinds] : returning_) {
    for (const auto& line : kinds) {
      for (const auto& ticket : line) standing_of(ticket).notify();
    }
  }
}

bool RunGate::park(const TicketPtr& ticket, const Job& job, bool holds_line) {
  {
    const MutexLock lock(mutex_);
    Standing& standing = standing_of(ticket);
    if (standing.beside) return false;
    if (holds_line) slots_.hold(ticket->function);
    standing.holds_line = holds_line;
    const std::uint64_t bytes = size_of(job);
    if (parked_ >= limits_.parked || parked_bytes_ + bytes > limits_.parked_bytes) return false;
    ++parked_;
    parked_bytes_ += bytes;
    standing.parked = true;
    standing.parked_bytes = bytes;
  }
  free_slot(ticket);
  return true;
}

void RunGate::unpark_locked(Standing& standing, const FunctionId& function) {
  if (std::exchange(standing.holds_line, false)) slots_.release(function);
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
  if (leaving_ >= limits_.slots.all()) return false;
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
    unpark_locked(standing, ticket->function);
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
  return slots_.free_slots();
}

int RunGate::free_common_slots() const {
  const MutexLock lock(mutex_);
  return slots_.free_common();
}

bool RunGate::anyone_waits() const {
  const MutexLock lock(mutex_);
  return slots_.waiting() > 0;
}

int RunGate::running() const {
  const MutexLock lock(mutex_);
  return slots_.running() - claimed_;
}

int RunGate::parked() const {
  const MutexLock lock(mutex_);
  return static_cast<int>(parked_);
}

void RunGate::list_holdings(Holdings& into) const {
  const MutexLock lock(mutex_);
  const auto slots = static_cast<std::uint64_t>(limits_.slots.all());
  into.insert(into.end(), {{"slots", static_cast<std::uint64_t>(slots_.running()), slots},
                           {"slots of jobs that have not come", static_cast<std::uint64_t>(claimed_), slots},
                           {.what = "runs in line", .held = slots_.waiting(), .of_waiting = true},
                           {.what = "functions in line", .held = slots_.functions(), .of_waiting = true},
                           {"runs that are over and hold a place", static_cast<std::uint64_t>(leaving_), slots},
                           {"results held back", held_back_, limits_.parked},
                           {"bytes of results held back", held_back_bytes_, limits_.parked_bytes},
                           {"runs without a slot", parked_, limits_.parked},
                           {"bytes of runs without a slot", parked_bytes_, limits_.parked_bytes},
                           {"functions whose runs come back", returning_.size()},
                           {"functions whose runs wait for a permit", lines_.size()}});
}

}  // namespace infra::worker
