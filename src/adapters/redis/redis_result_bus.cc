#include "adapters/redis/redis_result_bus.h"

#include <atomic>
#include <unordered_set>
#include <utility>
#include <vector>

#include "adapters/memory/waiting_room.h"
#include "adapters/redis/job_key_text.h"
#include "adapters/redis/reference_result.h"
#include "adapters/redis/result_texts.h"
#include "core/error_codes.h"
#include "core/json_members.h"
#include "core/limits.h"
#include "core/mutex.h"
#include "core/object_keys.h"
#include "core/operator_error_codes.h"
#include "telemetry/log.h"

namespace infra {
namespace {

constexpr std::string_view kPending = R"({"status":"pending"})";
constexpr std::string_view kReferencePrefix = "result:";
constexpr std::chrono::seconds kWatchInterval{5};
constexpr std::chrono::seconds kRetryInterval{1};
constexpr std::size_t kReadsAtOnce = 32;        // concurrently
constexpr std::chrono::seconds kTakeOver{5};    // the time that another controller has to keep what it accepted
constexpr std::size_t kMaxTakingOver = 10'000;  // results that a controller waits for at a time

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

}  // namespace

struct RedisResultBus::State : std::enable_shared_from_this<State> {
  State(net::RedisClient& r, CodeStore& b, Clock& c, Executor& e, RedisBusOptions o)
      : redis(r), bucket(b), clock(c), executor(e), texts(r, b, e), options(std::move(o)) {}

  bool deliver(const RequestId& id, const SharedResult& result);

  Task<Result<void>> mark(RequestId id);
  Task<Result<SharedResult>> read_store(RequestId id, bool& known);
  Task<Result<SharedResult>> read_bucket(RequestId id);
  static Task<void> fetch(std::shared_ptr<State> self, RequestId id);
  static Task<void> recheck(std::shared_ptr<State> self, bool after_loss);
  static Task<void> recheck_some(std::shared_ptr<State> self, std::vector<RequestId> ids, bool after_loss);
  Task<void> recheck_one(RequestId id, bool after_loss);
  void hear_reference(const RequestId& id, std::string_view payload);
  void settle_reference(const RequestId& id, JobResult result, const std::optional<AcceptedRun>& run);
  Task<void> keep_reference(SharedResult result);
  static Task<void> keep_and_record(std::shared_ptr<State> self, SharedResult result);
  static Task<void> take_over(std::shared_ptr<State> self, RequestId id);
  Task<SharedResult> unclaimed(RequestId id);
  [[nodiscard]] bool begin_completing(const RequestId& id, bool accepted);
  void end_completing(const RequestId& id);
  [[nodiscard]] bool is_incomplete(const RequestId& id);
  // A replica that has taken over may have a mark still, and lack the result: until such marks have expired they are
  // not believed. A failover breaks connections, so that each loss of one may have been one.
  void doubt_marks() { doubted_until = clock.steady_now() + limits::kResultTtl; }
  [[nodiscard]] bool doubts_marks() const { return clock.steady_now() < doubted_until.load(); }
  void note_reference_worker() const {
    if (options.on_reference_worker) options.on_reference_worker();
  }

  net::RedisClient& redis;
  CodeStore& bucket;
  Clock& clock;
  Executor& executor;
  ResultTexts texts;
  const RedisBusOptions options;
  WaitingRoom room;
  OpenRuns open;
  Mutex mutex;
  std::unordered_set<RequestId> incomplete INFRA_GUARDED_BY(mutex);  // whose complete result is not in the bucket yet
  std::atomic<SteadyTime> doubted_until = SteadyTime::min();
  std::atomic<bool> loss_unchecked = false;  // something may have been lost, and the store could not be asked yet
};

// True for the first result of a run that this controller accepted.
bool RedisResultBus::State::deliver(const RequestId& id, const SharedResult& result) {
  const bool first = open.take(id);
  if (first && options.on_heard) options.on_heard(*result);  // before the waiter goes on
  (void)room.deliver(id, result, clock.now());
  room.settled(id);  // the store has it; it is not needed here
  return first;
}

Task<Result<void>> RedisResultBus::State::mark(RequestId id) {
  const auto marked =
      co_await redis.command({"SET", job_key(id), std::string(kPending), "NX", "EX", ttl_seconds()}, job_key(id));
  if (!marked) co_return fail(marked.error());
  co_return Result<void>{};
}

// Null if there is no result, or none that can be read.
Task<Result<SharedResult>> RedisResultBus::State::read_store(RequestId id, bool& known) {
  auto text = co_await texts.stored(id, known);
  if (!text) co_return fail(text.error());
  co_return co_await texts.parse(std::move(*text), std::move(id));
}

Task<Result<SharedResult>> RedisResultBus::State::read_bucket(RequestId id) {
  auto text = co_await texts.kept(id);
  if (!text) co_return fail(text.error());
  co_return co_await texts.parse(std::move(*text), std::move(id));
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
  const bool marked = open.is_marked(id);
  if (!*found && (after_loss || (marked && !known))) {
    found = co_await read_bucket(id);
    if (!found) co_return;
    if (!*found && marked && !known)
      co_await mark(id);  // Redis was emptied, or the mark has expired: the job goes on all the same
  }
  if (!*found) co_return;
  if (const auto run = open.find(id); run && (*found)->of_reference_worker) {
    settle_reference(id, **found, run);
  } else if (deliver(id, *found) && options.on_foreign) {
    options.on_foreign(**found);  // it was not announced to us: its first finder may have ended before the record
  }
}

Task<void> RedisResultBus::State::recheck_some(std::shared_ptr<State> self, std::vector<RequestId> ids,
                                               bool after_loss) {
  for (auto& id : ids) co_await self->recheck_one(std::move(id), after_loss);
}

Task<void> RedisResultBus::State::recheck(std::shared_ptr<State> self, bool after_loss) {
  std::vector<std::vector<RequestId>> shares(kReadsAtOnce);
  std::size_t next = 0;
  for (auto& id : self->open.due(after_loss, kWatchInterval, self->clock.steady_now()))
    shares[next++ % kReadsAtOnce].push_back(std::move(id));
  for (auto& share : shares) {
    if (!share.empty()) self->executor.spawn("looking for results", recheck_some(self, std::move(share), after_loss));
  }
  co_return;
}

// Our own workers publish here, too, but only what they were sent without a reply channel: that is no run of ours.
void RedisResultBus::State::hear_reference(const RequestId& id, std::string_view payload) {
  const bool ours = uuid_version(id.value) == 7;
  if (!ours && payload.size() > kAnnouncedWhole) return;  // a reference controller's own affair
  auto result = parse_job_result(payload);
  if (!result) {
    if (ours) log::warn("a published result can't be read", {{"requestId", id.value}});
    return;
  }
  const auto run = open.find(id);
  if (!run && !result->of_reference_worker) return;
  if (ours) {
    settle_reference(id, std::move(*result), run);
  } else {
    note_reference_worker();
  }
}

// False if that is under way, or as many are as a controller waits for.
bool RedisResultBus::State::begin_completing(const RequestId& id, bool accepted) {
  const MutexLock lock(mutex);
  return (accepted || incomplete.size() < kMaxTakingOver) && incomplete.insert(id).second;
}

void RedisResultBus::State::end_completing(const RequestId& id) {
  const MutexLock lock(mutex);
  incomplete.erase(id);
}

bool RedisResultBus::State::is_incomplete(const RequestId& id) {
  const MutexLock lock(mutex);
  return incomplete.contains(id);
}

void RedisResultBus::State::settle_reference(const RequestId& id, JobResult result,
                                             const std::optional<AcceptedRun>& run) {
  note_reference_worker();
  if (!begin_completing(id, run.has_value())) return;
  const TaskOwner completing("completing a result", [self = shared_from_this(), id] { self->end_completing(id); });
  if (run) {
    const auto shared = std::make_shared<const JobResult>(complete_reference_result(std::move(result), id, run));
    deliver(id, shared);
    executor.spawn(completing, keep_and_record(shared_from_this(), shared));
  } else {
    executor.spawn(completing, take_over(shared_from_this(), id));
  }
}

// A reference worker keeps its result in Redis alone, for whom an emptied Redis is a lost result, and as it knows it.
Task<void> RedisResultBus::State::keep_reference(SharedResult result) {
  const auto earlier = co_await read_bucket(result->request_id);
  if (earlier && *earlier) co_return;  // the first result stays
  const auto kept = co_await bucket.put_object(result_key(result->request_id), to_json(*result));
  if (!kept)
    log::warn("a result could not be kept in the bucket",
              {{"requestId", result->request_id.value}, {"traceId", result->trace_id}});
}

Task<void> RedisResultBus::State::keep_and_record(std::shared_ptr<State> self, SharedResult result) {
  if (self->options.on_foreign) self->options.on_foreign(*result);
  co_await self->keep_reference(result);
  self->end_completing(result->request_id);
}

Task<void> RedisResultBus::State::take_over(std::shared_ptr<State> self, RequestId id) {
  co_await self->clock.sleep_until(self->clock.steady_now() + kTakeOver);
  auto result = co_await self->unclaimed(id);
  if (result) co_await keep_and_record(self, std::move(result));
  self->end_completing(id);
}

// As the accepting controller has kept it: that may lack its record. Else as its worker left it.
Task<SharedResult> RedisResultBus::State::unclaimed(RequestId id) {
  const auto kept = co_await read_bucket(id);
  if (kept && *kept) co_return *kept;
  bool known = false;
  const auto stored = co_await read_store(id, known);
  if (!stored || !*stored) co_return nullptr;
  co_return std::make_shared<const JobResult>(complete_reference_result(**stored, id, std::nullopt));
}

// A request's seat; what it leaves open when its time is over can still be asked for.
class RedisResultBus::Waiter final : public ResultWaiter {
 public:
  Waiter(std::shared_ptr<State> state, RequestId id) : state_(std::move(state)), id_(std::move(id)) {
    seat_->signal = state_->clock.make_signal();
    state_->room.take_seat(id_, seat_);
    state_->open.add(id_, true, state_->clock.steady_now());
  }
  ~Waiter() override {
    state_->room.leave_seat(id_, seat_);
    if (!goes_on_) state_->open.drop(id_);
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
    // The job goes on: a client that asks for it now must not hear that it is unknown.
    goes_on_ = true;
    state_->open.add(id_, false, state_->clock.steady_now());
    (void)co_await state_->mark(id_);
    if (outcome) co_return std::move(*outcome);
    co_return fail(errors::result_timeout, "The function has not finished yet; ask /status for its result.");
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
    co_return fail(Error{errors::redis_unavailable, "Redis is away, so no result could be heard; try again.",
                         std::chrono::seconds{1}});
  }
  co_return std::make_unique<Waiter>(state_, id);
}

Task<Result<void>> RedisResultBus::mark_pending(const RequestId& id) {
  const auto state = state_;
  auto marked = co_await state->mark(id);
  if (marked) state->open.add(id, false, state->clock.steady_now());
  co_return marked;
}

Task<Result<void>> RedisResultBus::forget(const RequestId& id) {
  const auto state = state_;
  state->open.drop(id);
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
  const bool foreign = reply_to.empty();  // a reference controller listens for the result itself, and reads all of it
  std::string text = to_json(*result);
  std::string status(to_string(result->status));
  std::string stands;
  if (job.mode == RunMode::async || text.size() > kAnnouncedWhole) {
    auto earlier = co_await state->bucket.get_object(result_key(id));
    if (earlier) {
      text = std::move(*earlier);
      if (const auto first = RawObject::read(text)) status = first->string("status");
    } else if (earlier.error().kind != ErrorKind::not_found) {
      co_return fail(earlier.error());
    } else if (auto kept = co_await state->bucket.put_object(result_key(id), text); !kept) {
      co_return fail(kept.error());
    }
    if (!foreign && text.size() > kAnnouncedWhole) stands = pointer_text(id, status, result->function_id.value);
  }
  const auto held =
      co_await state->redis.eval(keep_script(), job_key(id), {stands.empty() ? text : stands, ttl_seconds()});
  if (!held) co_return fail(held.error());
  if (!held->is_nil()) text = held->text;

  const std::string channel = foreign ? std::string(kReferencePrefix) + id.value : reply_to;
  const bool whole = foreign || (text.size() <= kAnnouncedWhole && kind_of(text) != JobKeyText::pointer);
  const auto told = co_await state->redis.command({"PUBLISH", channel, whole ? text : id.value}, "");
  if (!told) co_return fail(told.error());
  co_return Result<void>{};
}

Task<Result<StoredResult>> RedisResultBus::find(const RequestId& id) {
  const auto state = state_;
  bool known = false;
  auto stored = co_await state->texts.stored(id, known);
  ToldResult first;
  if (stored) first = co_await state->texts.tell(std::move(*stored), id);
  const bool found = !first.json.empty();
  // Where a reference worker wrote its result, the controller that accepted the run has kept the complete one.
  const bool may_lack = found && first.of_reference_worker && uuid_version(id.value) == 7;
  const bool pending = stored && known && !found;
  if (found && !may_lack) co_return StoredResult{std::move(first.json)};
  if (pending && !state->doubts_marks()) co_return StoredResult{};
  auto kept = co_await state->texts.kept(id);
  if (kept) {
    ToldResult second = co_await state->texts.tell(std::move(*kept), id);
    if (!second.json.empty()) co_return StoredResult{std::move(second.json)};
  }
  if (!stored) co_return fail(stored.error());
  if (pending) co_return StoredResult{};
  if (found) co_return StoredResult{state->is_incomplete(id) ? std::string() : std::move(first.json)};
  if (!kept) co_return fail(kept.error());
  co_return fail(errors::unknown_job, "There is no such job, or its result has expired.");
}

void RedisResultBus::note_sent(const RequestId& id, const AcceptedRun& run) {
  state_->open.note_sent(id, run);
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
    state_->executor.spawn("fetching a result", State::fetch(state_, {std::move(payload)}));
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
  state_->doubt_marks();
  state_->executor.spawn("looking for results", State::recheck(state_, true));
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
