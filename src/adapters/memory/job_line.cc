#include "adapters/memory/job_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "adapters/memory/late_look.h"
#include "core/error_codes.h"

namespace infra {
namespace {

std::unexpected<Error> queue_full() {
  return fail(Error{errors::queue_full, "Too many jobs are waiting; try again in a moment.", std::chrono::seconds{1}});
}

std::unexpected<Error> queued_already() {
  return fail(errors::job_exists, "A job with this request id is queued already.");
}

// What a bound leaves to a function of which many jobs wait.
template <typename Number>
constexpr Number for_crowds(Number bound) {
  return bound - bound / 8;
}
constexpr std::size_t kFew = 16;

}  // namespace

bool JobLine::has_room(const FunctionId& function, bool in_memory, std::uint64_t bytes) const {
  const std::size_t jobs = in_memory ? memory_ids_.size() : durable_jobs_;
  const std::uint64_t held = in_memory ? memory_bytes_ : durable_bytes_;
  const std::size_t most_jobs = in_memory ? bounds_.memory_jobs : bounds_.durable_jobs;
  const std::uint64_t most_bytes = in_memory ? bounds_.memory_bytes : bounds_.durable_bytes;
  if (jobs < for_crowds(most_jobs) && held + bytes <= for_crowds(most_bytes)) return true;
  return jobs < most_jobs && held + bytes <= most_bytes && ready_.waiting(function) < kFew;
}

Result<std::int64_t> JobLine::reserve(const Job& job, std::uint64_t bytes) {
  const MutexLock lock(mutex_);
  if (memory_ids_.contains(job.request_id)) return queued_already();
  if (!has_room(job.function_id, false, bytes)) return queue_full();
  ++durable_jobs_;
  durable_bytes_ += bytes;
  return next_seq_++;
}

void JobLine::release(const QueuedJob& durable) {
  const MutexLock lock(mutex_);
  promises_ -= durable.start_recorded ? 1 : 0;
  --durable_jobs_;
  durable_bytes_ -= durable.bytes;
}

bool JobLine::promise_receiver(const Job& job) {
  const MutexLock lock(mutex_);
  if (closed_ || !ready_.empty() || promises_ >= receivers_.size() || promises_ >= ready_.free_for_all()) return false;
  if (suspects_.find(job.function_id, job.code)) return false;
  ++promises_;
  return true;
}

void JobLine::put(QueuedJob durable, const Job& job) {
  const MutexLock lock(mutex_);
  promises_ -= durable.start_recorded ? 1 : 0;
  durable.suspicion = suspects_.find(job.function_id, job.code);
  make_ready(std::move(durable), job.function_id);
}

void JobLine::accuse(const CodeVersion& version) {
  const MutexLock lock(mutex_);
  suspects_.accuse(version);
}

void JobLine::restore(QueuedJob durable, const FunctionId& function, const CodeRef& code) {
  const MutexLock lock(mutex_);
  ++durable_jobs_;
  durable_bytes_ += durable.bytes;
  durable.suspicion = suspects_.find(function, code);
  make_ready(std::move(durable), function);
}

Result<void> JobLine::put_in_memory(std::shared_ptr<const Job> job, std::uint64_t bytes) {
  const MutexLock lock(mutex_);
  if (!has_room(job->function_id, true, bytes)) return queue_full();
  if (!memory_ids_.insert(job->request_id).second) return queued_already();
  memory_bytes_ += bytes;
  ++memory_code_[job->code.sha256];
  const FunctionId& function = job->function_id;
  make_ready({.seq = next_seq_++, .bytes = bytes, .job = job, .suspicion = suspects_.find(function, job->code)},
             function);
  return {};
}

void JobLine::attach(Turns* turns) {
  const MutexLock lock(mutex_);
  ready_.attach(turns);
}

void JobLine::drop_turn(const HandOver& taken) {
  const MutexLock lock(mutex_);
  if (!taken.in_turn) return;
  ready_.drop_turn(*taken.queued.function);
  wake_if_any();
}

std::vector<HandOver> JobLine::take(std::size_t max, SteadyTime lease_end) {
  const MutexLock lock(mutex_);
  std::vector<HandOver> taken;
  while (taken.size() < max) {
    auto next = ready_.take();
    if (!next) break;
    taken.push_back(lease(std::move(*next), lease_end));
    taken.back().in_turn = true;
  }
  return taken;
}

HandOver JobLine::lease(QueuedJob queued, SteadyTime end) {
  const std::uint64_t hand_over = next_hand_over_++;
  HandOver out{.queued = queued, .receipt = fmt::format("{}-{}", queued.seq, hand_over)};
  const std::int64_t seq = queued.seq;
  queued.start_recorded = false;  // of the next hand-over
  lease_ends_.emplace(end, seq);
  leases_.emplace(seq, Lease{std::move(queued), hand_over, end});
  return out;
}

std::optional<HandOver> JobLine::take_suspect(SteadyTime lease_end) {
  const MutexLock lock(mutex_);
  auto queued = closed_ ? std::nullopt : suspects_.take_oldest();
  if (!queued) return std::nullopt;
  return lease(std::move(*queued), lease_end);
}

bool JobLine::has_suspects() const {
  const MutexLock lock(mutex_);
  return !closed_ && suspects_.has_suspects();
}

std::vector<QueuedJob> JobLine::expire(SteadyTime now) {
  const MutexLock lock(mutex_);
  std::vector<QueuedJob> durable;
  while (!lease_ends_.empty() && lease_ends_.begin()->first <= now) {
    const auto lease = leases_.find(lease_ends_.begin()->second);
    if (is_late_look(lease->second.end, now)) {
      move_end(lease->first, new_end(now));
      continue;
    }
    QueuedJob queued = lease->second.queued;
    drop_lease(lease);
    ++queued.receives;
    if (!queued.job) durable.push_back(queued);
    make_ready(std::move(queued));
  }
  return durable;
}

std::optional<SteadyTime> JobLine::next_expiry() const {
  const MutexLock lock(mutex_);
  return lease_ends_.empty() ? std::nullopt : std::optional(lease_ends_.begin()->first);
}

std::optional<QueuedJob> JobLine::leased(const std::string& receipt, SteadyTime now) const {
  const MutexLock lock(mutex_);
  const auto lease = find(receipt, now);
  return lease == leases_.end() ? std::nullopt : std::optional(lease->second.queued);
}

bool JobLine::extend(const std::string& receipt, SteadyTime now, SteadyTime lease_end) {
  const MutexLock lock(mutex_);
  const auto found = find(receipt, now);
  if (found == leases_.end()) return false;
  move_end(found->first, lease_end);
  return true;
}

void JobLine::move_end(std::int64_t seq, SteadyTime end) {
  Lease& lease = leases_.at(seq);
  lease_ends_.erase({lease.end, seq});
  lease.end = end;
  lease_ends_.emplace(end, seq);
}

bool JobLine::give_back(const std::string& receipt, SteadyTime now) {
  const MutexLock lock(mutex_);
  const auto lease = find(receipt, now);
  if (lease == leases_.end()) return false;
  QueuedJob queued = lease->second.queued;
  drop_lease(lease);
  make_ready(std::move(queued));
  return true;
}

void JobLine::remove(std::int64_t seq) {
  const MutexLock lock(mutex_);
  if (const auto lease = leases_.find(seq); lease != leases_.end()) {
    QueuedJob gone = lease->second.queued;
    drop_lease(lease);
    forget(std::move(gone));
  } else if (auto waiting = ready_.remove(seq)) {
    forget(std::move(*waiting));
  } else if (const auto* suspect = suspects_.find(seq)) {
    QueuedJob gone = *suspect;
    suspects_.erase(seq);
    forget(std::move(gone));
  }
}

bool JobLine::enlist(const std::shared_ptr<Signal>& signal) {
  const MutexLock lock(mutex_);
  if (closed_ || (!ready_.empty() && ready_.has_turn())) return false;
  receivers_.push_back({signal, std::this_thread::get_id()});
  return true;
}

void JobLine::leave(const std::shared_ptr<Signal>& signal) {
  const MutexLock lock(mutex_);
  receivers_.remove_if([&](const Receiver& receiver) { return receiver.signal == signal; });
}

bool JobLine::enlist_for_suspects(const std::shared_ptr<Signal>& signal) {
  const MutexLock lock(mutex_);
  if (closed_ || !suspects_.has_suspects() || suspects_.size() > 0) return false;
  for_suspects_ = signal;
  return true;
}

void JobLine::wake_one() {
  const MutexLock lock(mutex_);
  wake_if_any();
}

void JobLine::close() {
  const MutexLock lock(mutex_);
  closed_ = true;
  for (auto& sync : suspects_.take_sync()) make_ready(std::move(sync));
  ready_.keep_durable();
  while (!receivers_.empty()) wake_next();
  wake_for_suspects();
}

bool JobLine::closed() const {
  const MutexLock lock(mutex_);
  return closed_;
}

void JobLine::add_dead(std::int64_t count) {
  const MutexLock lock(mutex_);
  dead_ += count;
}

QueueDepth JobLine::depth() const {
  const MutexLock lock(mutex_);
  return {.ready = static_cast<std::int64_t>(ready_.size() + suspects_.size()),
          .in_flight = static_cast<std::int64_t>(leases_.size()),
          .dead = dead_};
}

void JobLine::list_holdings(Holdings& into) const {
  const MutexLock lock(mutex_);
  into.insert(into.end(), {{.what = "jobs that wait", .held = ready_.size() + suspects_.size(), .of_waiting = true},
                           {.what = "leases", .held = leases_.size(), .of_waiting = true},
                           {.what = "ends of leases", .held = lease_ends_.size(), .of_waiting = true},
                           {"receivers that were promised", promises_},
                           {"durable jobs", durable_jobs_, bounds_.durable_jobs, true},
                           {"bytes of durable jobs", durable_bytes_, bounds_.durable_bytes, true},
                           {"jobs in memory", memory_ids_.size(), bounds_.memory_jobs, true},
                           {"bytes of jobs in memory", memory_bytes_, bounds_.memory_bytes, true},
                           {.what = "bundles of jobs in memory", .held = memory_code_.size(), .of_waiting = true}});
}

bool JobLine::holds_code(const std::string& sha256) const {
  const MutexLock lock(mutex_);
  return memory_code_.contains(sha256);
}

std::optional<JobLine::Receipt> JobLine::parse(const std::string& text) {
  Receipt receipt;
  const char* const end = text.data() + text.size();
  const auto seq = std::from_chars(text.data(), end, receipt.seq);
  if (seq.ec != std::errc{} || seq.ptr == end || *seq.ptr != '-') return std::nullopt;
  const auto hand_over = std::from_chars(seq.ptr + 1, end, receipt.hand_over);
  if (hand_over.ec != std::errc{} || hand_over.ptr != end) return std::nullopt;
  return receipt;
}

// The lease that `receipt` names, if it is alive: not a later one of the same job.
JobLine::Leases::const_iterator JobLine::find(const std::string& text, SteadyTime now) const {
  const auto receipt = parse(text);
  if (!receipt) return leases_.end();
  const auto lease = leases_.find(receipt->seq);
  if (lease == leases_.end() || lease->second.hand_over != receipt->hand_over || has_run_out(lease->second.end, now))
    return leases_.end();
  return lease;
}

void JobLine::make_ready(QueuedJob queued, const FunctionId& function) {
  if (SuspectLine::takes(queued) && !(closed_ && queued.job)) {
    if (!queued.function) queued.function = std::make_shared<const FunctionId>(function);
    suspects_.add(std::move(queued));
    wake_for_suspects();
    return;
  }
  ready_.put(std::move(queued), function);
  wake_if_any();
}

// One that had a place in a line.
void JobLine::make_ready(QueuedJob queued) {
  const auto function = queued.function;
  make_ready(std::move(queued), *function);
}

void JobLine::drop_lease(Leases::const_iterator lease) {
  lease_ends_.erase({lease->second.end, lease->first});
  leases_.erase(lease);
}

void JobLine::forget(QueuedJob queued) {
  for (auto& cleared : suspects_.absolve(queued)) make_ready(std::move(cleared));
  if (!suspects_.has_suspects()) wake_for_suspects();
  if (!queued.job) {
    --durable_jobs_;
    durable_bytes_ -= queued.bytes;
    return;
  }
  memory_ids_.erase(queued.job->request_id);
  memory_bytes_ -= queued.bytes;
  const auto code = memory_code_.find(queued.job->code.sha256);
  if (code != memory_code_.end() && --code->second == 0) memory_code_.erase(code);
}

void JobLine::wake_for_suspects() {
  if (const auto signal = std::exchange(for_suspects_, nullptr)) signal->notify();
}

void JobLine::wake_if_any() {
  if (!receivers_.empty() && !ready_.empty() && ready_.has_turn()) wake_next();
}

void JobLine::wake_next() {
  if (receivers_.empty()) return;
  auto next = std::ranges::find(receivers_, std::this_thread::get_id(), &Receiver::thread);
  if (next == receivers_.end()) next = receivers_.begin();
  next->signal->notify();
  receivers_.erase(next);
}

}  // namespace infra
