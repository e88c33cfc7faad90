#include "adapters/redis/redis_result_bus.h"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "adapters/embedded/waiting_room.h"
#include "core/limits.h"
#include "telemetry/log.h"

namespace infra {
namespace {

constexpr std::string_view kPending = R"({"status":"pending"})";
constexpr std::string_view kReferencePrefix = "result:";
constexpr std::size_t kAnnouncedWhole = 64 * 1024;  // a larger result is announced by its id
constexpr std::size_t kMaxRemembered = 100'000;
constexpr std::chrono::seconds kWatchInterval{5};
constexpr std::chrono::seconds kRetryInterval{1};
constexpr std::chrono::hours kForgotten{14 * 24};  // no queue keeps a job for longer
constexpr std::size_t kReadsAtOnce = 32;           // concurrently
constexpr std::ptrdiff_t kReadsAtATime = 2000;     // every kWatchInterval

std::string job_key(const RequestId& id) {
  return "job:" + id.value;
}
std::string bucket_key(const RequestId& id) {
  return "results/" + id.value + ".json";
}
std::string ttl_seconds() {
  return std::to_string(limits::kResultTtl.count());
}

// ARGV: the result, seconds to live. Gives an earlier result, if there is one, and keeps it. A pending mark may be a
// reference controller's, written in its own way.
const net::RedisScript& keep_script() {
  static const net::RedisScript kScript(R"(
local held = redis.call('GET', KEYS[1])
if held and not string.find(held, '^%s*{%s*"status"%s*:%s*"pending"') then return held end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return false
)");
  return kScript;
}

// ARGV: the pending mark.
const net::RedisScript& forget_script() {
  static const net::RedisScript kScript(R"(
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
)");
  return kScript;
}

// What is stored under a job's key. Null: pending, or nothing that can be read.
SharedResult read_result(std::string_view text, const RequestId& id) {
  auto result = parse_job_result(text);
  if (!result) return nullptr;
  if (result->request_id.empty()) result->request_id = id;
  return std::make_shared<const JobResult>(std::move(*result));
}

}  // namespace

struct RedisResultBus::State : std::enable_shared_from_this<State> {
  State(net::RedisClient& r, CodeStore& b, Clock& c, Executor& e, RedisBusOptions o)
      : redis(r), bucket(b), clock(c), executor(e), options(std::move(o)) {}

  // A run that this controller accepted and has not heard of yet.
  struct Open {
    bool waited_for = false;  // a client is connected; else it asks for the result later
    SteadyTime looked_at;
    SteadyTime since;
  };

  void remember(const RequestId& id, bool waited_for);
  void drop(const RequestId& id);
  bool take(const RequestId& id);
  [[nodiscard]] bool is_marked(const RequestId& id);
  bool deliver(const RequestId& id, const SharedResult& result);

  Task<Result<void>> mark(RequestId id);
  Task<Result<SharedResult>> read_store(RequestId id, bool& known);
  Task<Result<SharedResult>> read_bucket(RequestId id);
  static Task<void> fetch(std::shared_ptr<State> self, RequestId id);
  [[nodiscard]] std::vector<RequestId> due(bool after_loss);
  static Task<void> recheck(std::shared_ptr<State> self, bool after_loss);
  static Task<void> recheck_some(std::shared_ptr<State> self, std::vector<RequestId> ids, bool after_loss);
  Task<void> recheck_one(RequestId id, bool after_loss);
  static Task<void> keep_foreign(std::shared_ptr<State> self, SharedResult result);
  void hear_reference(const RequestId& id, std::string_view payload);

  net::RedisClient& redis;
  CodeStore& bucket;
  Clock& clock;
  Executor& executor;
  const RedisBusOptions options;
  WaitingRoom room;
  std::mutex mutex;
  std::unordered_map<RequestId, Open> open;
  std::atomic<bool> loss_unchecked = false;  // something may have been lost, and the store could not be asked yet
};

void RedisResultBus::State::remember(const RequestId& id, bool waited_for) {
  const std::scoped_lock lock(mutex);
  if (waited_for || open.size() < kMaxRemembered) open[id] = {waited_for, clock.steady_now(), clock.steady_now()};
}

void RedisResultBus::State::drop(const RequestId& id) {
  const std::scoped_lock lock(mutex);
  open.erase(id);
}

// True for the first who has this run's result.
bool RedisResultBus::State::take(const RequestId& id) {
  const std::scoped_lock lock(mutex);
  return open.erase(id) > 0;
}

// Whether it was marked pending: it was accepted, and nobody waits for it on a connection.
bool RedisResultBus::State::is_marked(const RequestId& id) {
  const std::scoped_lock lock(mutex);
  const auto entry = open.find(id);
  return entry != open.end() && !entry->second.waited_for;
}

// True for the first result of a run that this controller accepted.
bool RedisResultBus::State::deliver(const RequestId& id, const SharedResult& result) {
  const bool first = take(id);
  (void)room.deliver(id, result, clock.now());
  room.settled(id);  // the store has it; nobody needs it from here
  if (first && options.on_heard) options.on_heard(*result);
  return first;
}

Task<Result<void>> RedisResultBus::State::mark(RequestId id) {
  const auto marked =
      co_await redis.command({"SET", job_key(id), std::string(kPending), "NX", "EX", ttl_seconds()}, job_key(id));
  if (!marked) co_return fail(marked.error());
  co_return Result<void>{};
}

// Null if Redis has no result; `known` says whether it knows the id at all.
Task<Result<SharedResult>> RedisResultBus::State::read_store(RequestId id, bool& known) {
  const auto reply = co_await redis.command({"GET", job_key(id)}, job_key(id));
  if (!reply) co_return fail(reply.error());
  known = !reply->is_nil();
  co_return known ? read_result(reply->text, id) : nullptr;
}

// Null if the bucket has none.
Task<Result<SharedResult>> RedisResultBus::State::read_bucket(RequestId id) {
  const auto text = co_await bucket.get_object(bucket_key(id));
  if (text) co_return read_result(*text, id);
  if (text.error().kind == ErrorKind::not_found) co_return SharedResult{};
  co_return fail(text.error());
}

// All after a loss; else those that were not looked at for longest.
std::vector<RequestId> RedisResultBus::State::due(bool after_loss) {
  const SteadyTime now = clock.steady_now();
  const std::scoped_lock lock(mutex);
  std::erase_if(open, [now](const auto& entry) { return now - entry.second.since > kForgotten; });
  std::vector<std::pair<SteadyTime, RequestId>> waiting;
  for (const auto& [id, entry] : open) {
    if (after_loss || now - entry.looked_at >= kWatchInterval) waiting.emplace_back(entry.looked_at, id);
  }
  if (!after_loss && waiting.size() > kReadsAtATime) {
    std::ranges::nth_element(waiting, waiting.begin() + kReadsAtATime);
    waiting.resize(kReadsAtATime);
  }
  std::vector<RequestId> ids;
  for (auto& [looked_at, id] : waiting) {
    open[id].looked_at = now;
    ids.push_back(std::move(id));
  }
  return ids;
}

// An announcement that is only an id.
Task<void> RedisResultBus::State::fetch(std::shared_ptr<State> self, RequestId id) {
  bool known = false;
  auto found = co_await self->read_store(id, known);
  if (found && !*found) found = co_await self->read_bucket(id);
  if (found && *found) {
    self->deliver(id, *found);
  } else if (!found) {
    self->loss_unchecked = true;
  }
}

Task<void> RedisResultBus::State::recheck_one(RequestId id, bool after_loss) {
  bool known = false;
  auto found = co_await read_store(id, known);
  if (!found) {
    if (after_loss) loss_unchecked = true;  // the subscription was quicker than the connection for commands
    co_return;
  }
  // A run that a client waits for has no mark before its result is there, so that Redis does not know it means nothing.
  const bool marked = is_marked(id);
  if (!*found && !known && (marked || after_loss)) {
    found = co_await read_bucket(id);
    if (!found) co_return;
    if (!*found && marked)
      co_await mark(id);  // Redis was emptied, or the mark has expired: the job goes on all the same
  }
  // It was not announced to us: perhaps a reference worker's, which nobody has recorded then.
  if (*found && deliver(id, *found) && options.on_foreign) options.on_foreign(**found);
}

Task<void> RedisResultBus::State::recheck_some(std::shared_ptr<State> self, std::vector<RequestId> ids,
                                               bool after_loss) {
  for (auto& id : ids) co_await self->recheck_one(std::move(id), after_loss);
}

Task<void> RedisResultBus::State::recheck(std::shared_ptr<State> self, bool after_loss) {
  std::vector<std::vector<RequestId>> shares(kReadsAtOnce);
  std::size_t next = 0;
  for (auto& id : self->due(after_loss)) shares[next++ % kReadsAtOnce].push_back(std::move(id));
  for (auto& share : shares) {
    if (!share.empty()) self->executor.spawn(recheck_some(self, std::move(share), after_loss));
  }
  co_return;
}

void RedisResultBus::State::hear_reference(const RequestId& id, std::string_view payload) {
  if (is_foreign(id) || uuid_version(id.value) != 7) return;  // a reference controller's own affair
  auto result = parse_job_result(payload);
  if (!result) {
    log::warn("a published result can't be read", {{"requestId", id.value}});
    return;
  }
  result->request_id = id;
  const auto shared = std::make_shared<const JobResult>(std::move(*result));
  deliver(id, shared);
  executor.spawn(keep_foreign(shared_from_this(), shared));
  if (options.on_foreign) options.on_foreign(*shared);
}

// A reference worker keeps its result in Redis alone, for whom an emptied Redis is a lost result.
Task<void> RedisResultBus::State::keep_foreign(std::shared_ptr<State> self, SharedResult result) {
  const auto earlier = co_await self->read_bucket(result->request_id);
  if (earlier && *earlier) co_return;  // the first result stays
  const auto kept = co_await self->bucket.put_object(bucket_key(result->request_id), to_json(*result));
  if (!kept) log::warn("a result could not be kept in the bucket", {{"requestId", result->request_id.value}});
}

// A request's seat; what it leaves open when its time is over can still be asked for.
class RedisResultBus::Waiter final : public ResultWaiter {
 public:
  Waiter(std::shared_ptr<State> state, RequestId id) : state_(std::move(state)), id_(std::move(id)) {
    seat_->signal = state_->clock.make_signal();
    state_->room.take_seat(id_, seat_);
    state_->remember(id_, true);
  }
  ~Waiter() override {
    state_->room.leave_seat(id_, seat_);
    if (!goes_on_) state_->drop(id_);
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  Task<Result<SharedResult>> wait_until(SteadyTime deadline) override {
    auto outcome = state_->room.outcome(id_, *seat_);
    if (!outcome) {
      co_await seat_->signal->wait_until(deadline);
      outcome = state_->room.outcome(id_, *seat_);
    }
    if (outcome && *outcome) co_return std::move(*outcome);
    // The job goes on: whoever asks for it now must not hear that it is unknown.
    goes_on_ = true;
    state_->remember(id_, false);
    (void)co_await state_->mark(id_);
    if (outcome) co_return std::move(*outcome);
    co_return fail(ErrorKind::timeout, "result_timeout",
                   "The function has not finished yet; ask /status for its result.");
  }

 private:
  const std::shared_ptr<State> state_;
  const RequestId id_;
  const std::shared_ptr<WaitingRoom::Seat> seat_ = std::make_shared<WaitingRoom::Seat>();
  bool goes_on_ = false;
};

RedisResultBus::RedisResultBus(net::RedisClient& redis, CodeStore& bucket, Clock& clock, Executor& executor,
                               RedisBusOptions options)
    : state_(std::make_shared<State>(redis, bucket, clock, executor, std::move(options))) {}
RedisResultBus::~RedisResultBus() = default;

std::string RedisResultBus::reply_channel() const {
  return state_->options.controller_id.empty() ? std::string() : "result-of:" + state_->options.controller_id;
}

Task<Result<std::unique_ptr<ResultWaiter>>> RedisResultBus::expect(const RequestId& id) {
  const bool heard = state_->options.subscribed && state_->options.subscribed() && state_->redis.connected();
  if (!heard) {
    co_return fail(Error{ErrorKind::unavailable, "redis_unavailable",
                         "Redis is away, so no result could be heard; try again.", std::chrono::seconds{1}});
  }
  co_return std::make_unique<Waiter>(state_, id);
}

Task<Result<void>> RedisResultBus::mark_pending(const RequestId& id) {
  const auto state = state_;
  auto marked = co_await state->mark(id);
  if (marked) state->remember(id, false);
  co_return marked;
}

Task<Result<void>> RedisResultBus::forget(const RequestId& id) {
  const auto state = state_;
  state->drop(id);
  const auto forgotten = co_await state->redis.eval(forget_script(), job_key(id), {std::string(kPending)});
  if (!forgotten) co_return fail(forgotten.error());
  co_return Result<void>{};
}

// The bucket first, so that what Redis announces is never lost with Redis; and what the bucket has from an earlier
// settlement holds, even if Redis has forgotten it.
Task<Result<void>> RedisResultBus::publish(const Job& job, SharedResult result) {
  const auto state = state_;
  const RequestId id = job.request_id;
  const std::string reply_to = job.reply_to;
  std::string text = to_json(*result);
  if (job.mode == RunMode::async || text.size() > kAnnouncedWhole) {
    auto earlier = co_await state->bucket.get_object(bucket_key(id));
    if (earlier) {
      text = std::move(*earlier);
    } else if (earlier.error().kind != ErrorKind::not_found) {
      co_return fail(earlier.error());
    } else if (auto kept = co_await state->bucket.put_object(bucket_key(id), text); !kept) {
      co_return fail(kept.error());
    }
  }
  const auto held = co_await state->redis.eval(keep_script(), job_key(id), {text, ttl_seconds()});
  if (!held) co_return fail(held.error());
  if (!held->is_nil()) text = held->text;

  const bool foreign = reply_to.empty();  // a reference controller listens for the result itself
  const std::string channel = foreign ? std::string(kReferencePrefix) + id.value : reply_to;
  const bool whole = foreign || text.size() <= kAnnouncedWhole;
  const auto told = co_await state->redis.command({"PUBLISH", channel, whole ? text : id.value}, "");
  if (!told) co_return fail(told.error());
  co_return Result<void>{};
}

Task<Result<StoredResult>> RedisResultBus::find(const RequestId& id) {
  const auto state = state_;
  bool known = false;
  auto stored = co_await state->read_store(id, known);
  if (stored && (*stored || known)) co_return StoredResult{*stored};
  auto kept = co_await state->read_bucket(id);
  if (kept && *kept) co_return StoredResult{*kept};
  if (!stored) co_return fail(stored.error());
  if (!kept) co_return fail(kept.error());
  co_return fail(ErrorKind::not_found, "unknown_job", "There is no such job, or its result has expired.");
}

void RedisResultBus::abandon_waiters() {
  state_->room.abandon();
}

void RedisResultBus::hear(std::string_view channel, std::string payload) {
  if (channel.starts_with(kReferencePrefix)) {
    state_->hear_reference({std::string(channel.substr(kReferencePrefix.size()))}, payload);
    return;
  }
  if (!payload.starts_with('{')) {
    state_->executor.spawn(State::fetch(state_, {std::move(payload)}));
    return;
  }
  auto result = parse_job_result(payload);
  if (!result) {
    log::warn("an announced result can't be read", {{"bytes", payload.size()}});
    return;
  }
  const RequestId id = result->request_id;
  state_->deliver(id, std::make_shared<const JobResult>(std::move(*result)));
}

void RedisResultBus::resubscribed() {
  state_->executor.spawn(State::recheck(state_, true));
}

Task<void> RedisResultBus::watch() {
  const auto state = state_;
  while (true) {
    const auto pause = state->loss_unchecked ? kRetryInterval : kWatchInterval;
    co_await state->clock.sleep_until(state->clock.steady_now() + pause);
    co_await State::recheck(state, state->loss_unchecked.exchange(false));
  }
}

}  // namespace infra
