#include "adapters/redis/leased_job_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/error_codes.h"
#include "core/limits.h"
#include "core/operator_error_codes.h"
#include "core/trace_context.h"
#include "telemetry/log.h"

namespace infra {
namespace {

constexpr milliseconds kMemory{3'600'000};  // how long starts are remembered

// By how often its message was received: about as long as it has waited already. The redrive policy counts receives, so
// that one that waits for hours is looked at ever less often, and is not dead before the queue forgets it (14 days).
milliseconds out_of_turn_pause(int receives) {
  constexpr int kOften = 100;
  constexpr int kVeryOften = 500;
  if (receives <= 1) return milliseconds{0};
  if (receives > kVeryOften) return std::chrono::hours{1};
  if (receives > kOften) return std::chrono::minutes{5};
  return std::chrono::seconds{1 << std::min(receives - 2, 4)};
}

std::string number(milliseconds time) {
  return std::to_string(time.count());
}

// What the script says of a lease.
constexpr std::int64_t kTaken = 0;
constexpr std::int64_t kStartedBefore = 2;  // 1: granted

// ARGV: holder, ms of the lease, ms of memory, 1 for a job that was never started alone. Gives {one of the above, ms
// until it is free, starts}. A lease that would last longer than any does was taken before the server's clock went
// back, and ends after its length from now. Whoever was let go before this came has given it up.
const net::RedisScript& acquire_script() {
  static const net::RedisScript kScript(R"(
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease = redis.call('HMGET', KEYS[1], 'holder', 'until', 'starts', 'gone:' .. ARGV[1])
local starts = tonumber(lease[3] or '0')
local left = tonumber(lease[2] or '0') - now
if lease[1] and lease[1] ~= '' and lease[1] ~= ARGV[1] and left > 0 then
  if left > tonumber(ARGV[2]) then
    left = tonumber(ARGV[2])
    redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + left))
  end
  return {0, left, starts}
end
if lease[4] then return {0, 0, starts} end
if starts > 0 and ARGV[4] == '1' then return {2, 0, starts} end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'until', string.format('%.0f', now + tonumber(ARGV[2])), 'starts', starts + 1)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {1, 0, starts + 1}
)");
  return kScript;
}

// ARGV: holder, ms of the lease, ms of memory. A Redis that has lost its memory learns of the run, which was started
// once at least.
const net::RedisScript& renew_script() {
  static const net::RedisScript kScript(R"(
local holder = redis.call('HGET', KEYS[1], 'holder')
if not holder then redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'starts', 1)
elseif holder ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + tonumber(ARGV[2])))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
)");
  return kScript;
}

// ARGV: holder, starts to take off, ms of memory, 1 where it is in doubt whether the holder has the lease. Lets it go
// and keeps the memory. What asked for a lease in doubt may be held up on the way, and is not to get it any more.
const net::RedisScript& release_script() {
  static const net::RedisScript kScript(R"(
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], 'gone:' .. ARGV[1], 1)
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'holder', '', 'until', 0)
redis.call('HINCRBY', KEYS[1], 'starts', -tonumber(ARGV[2]))
return 1
)");
  return kScript;
}

}  // namespace

LeasedJobQueue::LeasedJobQueue(JobQueue& inner, net::RedisClient& redis, WorkerId worker, Clock& clock, Random& random,
                               Postpone postpone, const Quarantine* quarantine)
    : inner_(inner),
      redis_(redis),
      worker_(std::move(worker)),
      clock_(clock),
      random_(random),
      postpone_(std::move(postpone)),
      quarantine_(quarantine) {}

std::string LeasedJobQueue::new_holder() {
  std::array<std::byte, 8> bytes{};
  random_.fill(bytes);
  std::string holder = worker_.value + "/";
  for (const auto byte : bytes) holder += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return holder;
}

Task<Result<void>> LeasedJobQueue::reach_redis() {
  auto reached =
      redis_.connected()
          ? co_await settle_doubts()
          : fail(Error{errors::redis_unavailable, "No jobs are taken while Redis is away.", std::chrono::seconds{1}});
  if (!reached) co_await hold_doubts();
  co_return reached;
}

Task<Result<std::vector<Delivery>>> LeasedJobQueue::receive(int max, milliseconds wait) {
  if (auto reached = co_await reach_redis(); !reached) co_return fail(reached.error());
  auto deliveries = co_await inner_.receive(max, wait);
  if (!deliveries) co_return deliveries;
  const SteadyTime received = clock_.steady_now();
  std::vector<Delivery> granted;
  for (auto& delivery : *deliveries) {
    if (!co_await has_turn(delivery)) continue;
    Claim claim = co_await acquire(delivery, Slot::common);
    if (claim == Claim::suspect && is_refused(delivery)) claim = co_await acquire(delivery, Slot::suspects);
    if (claim == Claim::granted) {
      granted.push_back(std::move(delivery));
      continue;
    }
    if (Turns* turns = turns_) turns->drop(delivery.job.function_id);
    if (claim == Claim::suspect) co_await line_up(std::move(delivery), received);
  }
  co_return granted;
}

// Before it has a lease: that would be two requests to Redis for nothing.
Task<bool> LeasedJobQueue::has_turn(const Delivery& delivery) {
  Turns* const turns = turns_;
  if (turns == nullptr || turns->claim(delivery.job.function_id, delivery.job.mode)) co_return true;
  co_await postpone_(delivery.receipt, out_of_turn_pause(delivery.receives));
  co_return false;
}

Task<LeasedJobQueue::Claim> LeasedJobQueue::acquire(Delivery& delivery, Slot slot) {
  Lease lease{.key = "infra:lease:" + delivery.job.request_id.value, .holder = new_holder()};
  const auto reply = co_await redis_.eval(
      acquire_script(), lease.key,
      {lease.holder, number(limits::kVisibility), number(kMemory), slot == Slot::common ? "1" : "0"});
  if (!reply || reply->elements.size() != 3) {
    const MutexLock lock(mutex_);
    doubts_.push_back({std::move(lease), delivery.receipt});
    co_return Claim::none;
  }
  const std::int64_t said = reply->elements[0].integer;
  if (said == kStartedBefore) {
    delivery.receives = static_cast<int>(reply->elements[2].integer) + 1;
    co_return Claim::suspect;
  }
  if (said == kTaken) {
    log::info("a job that runs elsewhere is put off",
              {{"requestId", delivery.job.request_id.value}, {"traceId", trace_id_in(delivery.job.traceparent)}});
    co_await postpone_(delivery.receipt, milliseconds{reply->elements[1].integer});
    co_return Claim::none;
  }
  delivery.receives = static_cast<int>(reply->elements[2].integer);
  delivery.fresh = delivery.fresh && delivery.receives == 1;
  const MutexLock lock(mutex_);
  leases_.insert_or_assign(delivery.receipt, std::move(lease));
  co_return Claim::granted;
}

// It takes nobody down, and who waits for its end is not to wait for a suspect's.
bool LeasedJobQueue::is_refused(const Delivery& delivery) const {
  const Job& job = delivery.job;
  return delivery.cannot_run || is_given_up(delivery) ||
         (quarantine_ != nullptr && quarantine_->remaining(job.function_id, job.code));
}

// No lease, no slot of the worker's: it waits for the suspects' slot, or is put off.
Task<void> LeasedJobQueue::line_up(Delivery delivery, SteadyTime received) {
  std::string receipt = delivery.receipt;
  std::optional<milliseconds> pause;
  std::shared_ptr<Signal> waiter;
  {
    const MutexLock lock(mutex_);
    pause = closed_ ? milliseconds{0} : suspects_.pause_for(delivery, clock_.steady_now());
    if (!pause) {
      suspects_.add({.delivery = std::move(delivery), .received = received});
      waiter = std::exchange(for_suspects_, nullptr);
    }
  }
  if (waiter) waiter->notify();
  if (pause) co_await postpone_(std::move(receipt), *pause);
}

bool LeasedJobQueue::has_suspects() const {
  const MutexLock lock(mutex_);
  return !closed_;
}

std::size_t LeasedJobQueue::suspects_waiting() const {
  const MutexLock lock(mutex_);
  return suspects_.size();
}

void LeasedJobQueue::begin_suspects() {
  const MutexLock lock(mutex_);
  suspects_.open();
}

Task<Result<std::optional<Delivery>>> LeasedJobQueue::receive_suspect() {
  while (true) {
    const auto signal = clock_.make_signal();
    bool waits = false;
    {
      const MutexLock lock(mutex_);
      suspects_.free_slot();
      if (closed_) co_return std::nullopt;
      waits = !suspects_.any(clock_.steady_now());
      if (waits) for_suspects_ = signal;
    }
    if (waits) {
      co_await signal->wait_until(SteadyTime::max());
      continue;
    }
    if (auto reached = co_await reach_redis(); !reached) co_return fail(reached.error());
    auto next = take_suspect();
    if (!next || !co_await keep_out_of_sight(*next)) continue;
    if (co_await acquire(next->delivery, Slot::suspects) == Claim::granted) co_return std::move(next->delivery);
  }
}

std::optional<WaitingSuspects::Waiting> LeasedJobQueue::take_suspect() {
  const MutexLock lock(mutex_);
  return suspects_.take(clock_.steady_now());
}

// One that has waited for long would be visible about when its lease is first renewed. False: it is another's by now.
Task<bool> LeasedJobQueue::keep_out_of_sight(const WaitingSuspects::Waiting& suspect) {
  if (clock_.steady_now() - suspect.received < limits::kVisibilityRenewal) co_return true;
  const auto extended = co_await inner_.extend(suspect.delivery.receipt);
  co_return extended || extended.error().kind != ErrorKind::not_found;
}

bool LeasedJobQueue::is_in_suspects_slot(const std::string& receipt) const {
  const MutexLock lock(mutex_);
  return suspects_.is_in_slot(receipt);
}

Task<void> LeasedJobQueue::give_suspects_back() {
  std::vector<std::string> receipts;
  {
    const MutexLock lock(mutex_);
    receipts = suspects_.take_all(clock_.steady_now());
  }
  for (const auto& receipt : receipts) (void)co_await inner_.give_back(receipt);
}

Task<void> LeasedJobQueue::end_suspects() {
  close_line();
  co_await give_suspects_back();
}

void LeasedJobQueue::close_line() {
  std::shared_ptr<Signal> waiter;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    waiter = std::exchange(for_suspects_, nullptr);
  }
  if (waiter) waiter->notify();
}

void LeasedJobQueue::wake_receivers() {
  close_line();
  inner_.wake_receivers();
}

void LeasedJobQueue::forget(const std::string& receipt) {
  const MutexLock lock(mutex_);
  leases_.erase(receipt);
  if (suspects_.is_in_slot(receipt)) suspects_.free_slot();
}

// Before anything else is taken: an unused lease would keep its job waiting, and its start would count.
Task<Result<void>> LeasedJobQueue::settle_doubts() {
  std::vector<Doubt> doubts;
  {
    const MutexLock lock(mutex_);
    doubts.swap(doubts_);
  }
  Result<void> settled;
  for (auto& doubt : doubts) {
    if (settled) settled = co_await let_go(doubt.lease, 1, true);
    if (settled) {
      (void)co_await inner_.give_back(doubt.receipt);
      continue;
    }
    const MutexLock lock(mutex_);
    doubts_.push_back(std::move(doubt));
  }
  co_return settled;
}

Task<void> LeasedJobQueue::hold_doubts() {
  std::vector<std::string> receipts;
  {
    const MutexLock lock(mutex_);
    for (const auto& doubt : doubts_) receipts.push_back(doubt.receipt);
  }
  for (const auto& receipt : receipts) (void)co_await inner_.extend(receipt);
}

// `starts` are taken off.
Task<Result<void>> LeasedJobQueue::let_go(Lease lease, int starts, bool in_doubt) {
  const auto released = co_await redis_.eval(
      release_script(), lease.key, {lease.holder, std::to_string(starts), number(kMemory), in_doubt ? "1" : "0"});
  if (!released) co_return fail(released.error());
  co_return Result<void>{};
}

std::optional<LeasedJobQueue::Lease> LeasedJobQueue::find(const std::string& receipt) const {
  const MutexLock lock(mutex_);
  const auto found = leases_.find(receipt);
  if (found == leases_.end()) return std::nullopt;
  return found->second;
}

// The message first, so that it is out of sight for as long as the lease lives. Its word does not count: a receipt that
// is dead because the queue was away for a while says nothing of who has the job.
Task<Result<void>> LeasedJobQueue::extend(const std::string& receipt) {
  const auto lease = find(receipt);
  auto extended = co_await inner_.extend(receipt);
  if (!lease) co_return extended;
  const auto renewed =
      co_await redis_.eval(renew_script(), lease->key, {lease->holder, number(limits::kVisibility), number(kMemory)});
  if (!renewed && !extended) co_return fail(renewed.error());
  if (!renewed) co_return extended;
  if (renewed->integer == 0) {
    forget(receipt);
    co_return fail(errors::receipt_dead, "Another worker has the job's lease.");
  }
  if (is_in_suspects_slot(receipt)) co_await give_suspects_back();  // it runs for long: another's slot may be free
  if (!extended && extended.error().kind == ErrorKind::not_found) co_return Result<void>{};
  co_return extended;
}

Task<void> LeasedJobQueue::finish(std::string receipt) {
  const auto lease = find(receipt);
  if (!lease) co_return;
  forget(receipt);
  (void)co_await let_go(*lease, 0);
}

Task<Result<void>> LeasedJobQueue::acknowledge(const std::string& receipt) {
  auto done = co_await inner_.acknowledge(receipt);
  if (done) co_await finish(receipt);
  co_return done;
}

Task<Result<void>> LeasedJobQueue::bury(const std::string& receipt, const std::string& reason) {
  auto done = co_await inner_.bury(receipt, reason);
  if (done) co_await finish(receipt);
  co_return done;
}

// The lease first, so that the next receiver of the message gets it.
Task<Result<void>> LeasedJobQueue::give_back(const std::string& receipt) {
  if (const auto lease = find(receipt)) {
    const auto released = co_await let_go(*lease, 1);
    forget(receipt);
    if (!released) {
      const MutexLock lock(mutex_);
      doubts_.push_back({*lease, receipt});
      co_return Result<void>{};
    }
  }
  co_return co_await inner_.give_back(receipt);
}

}  // namespace infra
