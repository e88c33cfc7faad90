#include "adapters/redis/leased_job_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/error_codes.h"
#include "core/limits.h"
#include "core/operator_error_codes.h"
#include "telemetry/log.h"

namespace infra {
namespace {

constexpr milliseconds kMemory{3'600'000};  // how long starts are remembered
// Until a second suspect is looked at again, here or elsewhere: as long as the first one has run by then, because most
// are short and a long one is not to be asked after every second.
constexpr milliseconds kShortestPause{1'000};

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

// ARGV: holder, ms of the lease, ms of memory. Gives {granted, ms until it is free, starts}.
const net::RedisScript& acquire_script() {
  static const net::RedisScript kScript(R"(
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease = redis.call('HMGET', KEYS[1], 'holder', 'until', 'starts')
local starts = tonumber(lease[3] or '0')
if lease[1] and lease[1] ~= '' and lease[1] ~= ARGV[1] and tonumber(lease[2]) > now then
  return {0, tonumber(lease[2]) - now, starts}
end
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

// ARGV: holder, starts to take off. Lets the lease go and keeps the memory.
const net::RedisScript& release_script() {
  static const net::RedisScript kScript(R"(
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'holder', '', 'until', 0)
redis.call('HINCRBY', KEYS[1], 'starts', -tonumber(ARGV[2]))
return 1
)");
  return kScript;
}

}  // namespace

LeasedJobQueue::LeasedJobQueue(JobQueue& inner, net::RedisClient& redis, WorkerId worker, const Clock& clock,
                               Random& random, Postpone postpone)
    : inner_(inner),
      redis_(redis),
      worker_(std::move(worker)),
      clock_(clock),
      random_(random),
      postpone_(std::move(postpone)) {}

std::string LeasedJobQueue::new_holder() {
  std::array<std::byte, 8> bytes{};
  random_.fill(bytes);
  std::string holder = worker_.value + "/";
  for (const auto byte : bytes) holder += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return holder;
}

Task<Result<std::vector<Delivery>>> LeasedJobQueue::receive(int max, milliseconds wait) {
  if (!redis_.connected()) {
    co_await hold_doubts();
    co_return fail(Error{errors::redis_unavailable, "No jobs are taken while Redis is away.", std::chrono::seconds{1}});
  }
  if (auto settled = co_await settle_doubts(); !settled) {
    co_await hold_doubts();
    co_return fail(settled.error());
  }
  auto received = co_await inner_.receive(max, wait);
  if (!received) co_return received;
  std::vector<Delivery> granted;
  for (auto& delivery : *received) {
    if (!co_await has_turn(delivery)) continue;
    if (co_await acquire(delivery)) {
      granted.push_back(std::move(delivery));
    } else if (Turns* turns = turns_) {
      turns->drop(delivery.job.function_id);
    }
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

// False: the job runs elsewhere, or is a suspect too many here, or Redis doesn't say.
Task<bool> LeasedJobQueue::acquire(Delivery& delivery) {
  Lease lease{.key = "infra:lease:" + delivery.job.request_id.value, .holder = new_holder()};
  const auto reply =
      co_await redis_.eval(acquire_script(), lease.key, {lease.holder, number(limits::kVisibility), number(kMemory)});
  if (!reply || reply->elements.size() != 3) {
    const MutexLock lock(mutex_);
    doubts_.push_back({std::move(lease), delivery.receipt});
    co_return false;
  }
  if (reply->elements[0].integer == 0) {
    log::info("a job that runs elsewhere is put off", {{"requestId", delivery.job.request_id.value}});
    co_await postpone_(delivery.receipt, milliseconds{reply->elements[1].integer});
    co_return false;
  }
  delivery.receives = static_cast<int>(reply->elements[2].integer);
  delivery.fresh = delivery.fresh && delivery.receives == 1;
  const auto pause = delivery.receives > 1 ? take_suspects_place(delivery.receipt) : std::nullopt;
  if (pause) {
    if (auto released = co_await let_go(lease, 1); !released) {
      const MutexLock lock(mutex_);
      doubts_.push_back({std::move(lease), delivery.receipt});
      co_return false;
    }
    co_await postpone_(delivery.receipt, *pause);
    co_return false;
  }
  const MutexLock lock(mutex_);
  leases_.insert_or_assign(delivery.receipt, std::move(lease));
  co_return true;
}

std::optional<milliseconds> LeasedJobQueue::take_suspects_place(const std::string& receipt) {
  const MutexLock lock(mutex_);
  const SteadyTime now = clock_.steady_now();
  if (!suspect_.empty() && now < suspect_until_) {
    const auto running_for = std::chrono::ceil<milliseconds>(now - suspect_since_);
    return std::clamp<milliseconds>(running_for, kShortestPause, limits::kVisibility);
  }
  suspect_ = receipt;
  suspect_since_ = now;
  suspect_until_ = now + limits::kVisibility;
  return std::nullopt;
}

void LeasedJobQueue::keep_suspects_place(const std::string& receipt) {
  const MutexLock lock(mutex_);
  if (suspect_ == receipt) suspect_until_ = clock_.steady_now() + limits::kVisibility;
}

void LeasedJobQueue::forget(const std::string& receipt) {
  const MutexLock lock(mutex_);
  leases_.erase(receipt);
  if (suspect_ == receipt) suspect_.clear();
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
    if (settled) settled = co_await let_go(doubt.lease, 1);
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
Task<Result<void>> LeasedJobQueue::let_go(Lease lease, int starts) {
  const auto released = co_await redis_.eval(release_script(), lease.key, {lease.holder, std::to_string(starts)});
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
  keep_suspects_place(receipt);
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
