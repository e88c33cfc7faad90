#include "platform/engines/redis/simulated_redis_client.h"

#include <fmt/format.h>

#include <atomic>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "net/redis/redis_errors.h"
#include "platform/engines/redis/redis_link.h"

namespace infra::testing {

using net::RedisCommand;
using net::RedisReply;

namespace {

constexpr std::chrono::seconds kRoleCheckInterval{1};

struct Call {
  std::uint64_t number = 0;
  RedisCommand command;
  SteadyTime deadline;
  Result<RedisReply> result;
  std::shared_ptr<Signal> done;
};
using SharedCall = std::shared_ptr<Call>;

void finish(Call& call, Result<RedisReply> result) {
  call.result = std::move(result);
  call.done->notify();
}

}  // namespace

struct SimulatedRedisClient::State final : RedisLineEnd, std::enable_shared_from_this<State> {
  State(SimulatedRedis& r, Clock& c, net::RedisOptions o)
      : redis(r), clock(c), options(std::move(o)), news(c), backoff(r) {}

  // Attempting: commands wait for the connection. Away: they fail at once, whether an attempt is under way or not.
  enum class Phase : std::uint8_t { attempting, connected, away, closed };

  static Task<void> live(std::shared_ptr<State> self);
  Task<bool> dial();
  Task<std::string> serve();
  void end_connection(std::string_view why);
  Task<Result<RedisReply>> exchange(RedisCommand command, SteadyTime deadline);
  void send(const SharedCall& call);
  void note_role_change(const RedisReply& reply);
  void close();
  void crash();

  void opened() override {
    if (is_cut_off) return;
    is_open = true;
    news.tell();
  }
  void lost(std::string_view why) override {
    if (is_cut_off) return;
    loss = std::string(why);
    news.tell();
  }
  void answered(std::uint64_t call, RedisReply reply) override {
    if (is_cut_off) return;
    last_sign = clock.steady_now();
    const auto found = awaited.find(call);
    if (found == awaited.end()) return;
    const auto node = awaited.extract(found);
    note_role_change(reply);
    finish(*node.mapped(), std::move(reply));
  }
  void confirmed() override {}
  void heard(std::string, std::string) override {}

  [[nodiscard]] bool ended() const { return phase == Phase::closed; }
  [[nodiscard]] SteadyTime deadline(milliseconds timeout) const {
    return clock.steady_now() + (timeout.count() > 0 ? timeout : options.command_timeout);
  }

  SimulatedRedis& redis;
  Clock& clock;
  const net::RedisOptions options;
  RedisNews news;
  RedisBackoff backoff;
  Phase phase = Phase::attempting;
  std::atomic<bool> is_connected = false;
  Error away;
  std::shared_ptr<RedisLine> line;
  bool is_cut_off = false;  // from the network
  bool is_open = false;
  std::optional<std::string> loss;
  std::deque<SharedCall> queued;                // for want of a connection
  std::map<std::uint64_t, SharedCall> awaited;  // sent
  std::uint64_t next_call = 0;
  bool watched = false;  // the connection's task wakes when an answer is overdue
  SteadyTime connected_at;
  SteadyTime last_sign;  // of life, or the time since which one is due
};

Task<void> SimulatedRedisClient::State::live(std::shared_ptr<State> self) {
  while (!self->ended()) {
    milliseconds pause{0};
    if (co_await self->dial()) {
      const std::string why = co_await self->serve();
      if (self->ended()) break;
      self->end_connection(why);
      pause = self->backoff.after_loss(self->clock.steady_now());
      self->away = net::redis_unavailable(fmt::format("The connection to Redis is lost ({}).", why));
    } else {
      if (self->ended()) break;
      pause = self->backoff.after_failure();
    }
    if (pause.count() == 0) continue;
    self->phase = Phase::away;
    for (const auto& call : std::exchange(self->queued, {})) finish(*call, fail(self->away));
    const SteadyTime until = self->clock.steady_now() + pause;
    while (!self->ended() && self->clock.steady_now() < until) co_await self->news.wait_until(until);
  }
}

Task<bool> SimulatedRedisClient::State::dial() {
  is_open = false;
  loss.reset();
  line = is_cut_off ? nullptr : redis.dial(shared_from_this());
  const SteadyTime until = clock.steady_now() + options.connect_timeout;
  while (!ended() && !is_open && !loss && clock.steady_now() < until) co_await news.wait_until(until);
  if (ended()) co_return false;
  if (is_open && !loss) co_return true;
  if (!loss && line) redis.hang_up(*line);
  line.reset();
  away = net::redis_unavailable(
      fmt::format("No connection to Redis ({}); check that it runs and can be reached from here.",
                  loss.value_or("no answer in time")));
  co_return false;
}

// Until the connection breaks, or an answer is overdue; says why it did.
Task<std::string> SimulatedRedisClient::State::serve() {
  phase = Phase::connected;
  is_connected = true;
  connected_at = clock.steady_now();
  backoff.note_connected(connected_at);
  for (const auto& call : std::exchange(queued, {})) {
    if (call->deadline > clock.steady_now()) send(call);
  }
  while (!ended() && !loss) {
    watched = !awaited.empty();
    const SteadyTime due = watched ? last_sign + options.command_timeout : SteadyTime::max();
    if (clock.steady_now() >= due) {
      redis.hang_up(*line);
      co_return "it has fallen silent";
    }
    co_await news.wait_until(due);
  }
  co_return loss.value_or("closed");
}

void SimulatedRedisClient::State::end_connection(std::string_view why) {
  is_connected = false;
  watched = false;
  line.reset();
  if (phase == Phase::connected) phase = Phase::attempting;
  const Error error =
      net::redis_unavailable(fmt::format("The connection to Redis broke before the answer came ({}).", why));
  for (const auto& [number, call] : std::exchange(awaited, {})) finish(*call, fail(error));
}

Task<Result<RedisReply>> SimulatedRedisClient::State::exchange(RedisCommand command, SteadyTime deadline) {
  const auto self = shared_from_this();
  if (phase == Phase::away || phase == Phase::closed) co_return fail(away);
  const SteadyTime began = clock.steady_now();
  const auto call = std::make_shared<Call>(Call{.number = next_call++,
                                                .command = std::move(command),
                                                .deadline = deadline,
                                                .result = {},
                                                .done = clock.make_signal()});
  if (phase == Phase::connected && !loss) {
    send(call);
  } else {
    queued.push_back(call);
  }
  if (co_await call->done->wait_until(deadline)) co_return std::move(call->result);
  co_return fail(net::redis_unavailable(
      fmt::format("Redis did not answer within {} ms.",
                  std::max<std::int64_t>(std::chrono::duration_cast<milliseconds>(deadline - began).count(), 0))));
}

void SimulatedRedisClient::State::send(const SharedCall& call) {
  if (awaited.empty()) last_sign = clock.steady_now();
  awaited.emplace(call->number, call);
  if (!is_cut_off) redis.send(*line, call->number, std::move(call->command));
  if (!watched) {
    watched = true;
    news.tell();
  }
}

// Behind a name that moved in a failover stands another server now: it is looked up again.
void SimulatedRedisClient::State::note_role_change(const RedisReply& reply) {
  if (net::kind_of(reply) != "READONLY" || clock.steady_now() - connected_at < kRoleCheckInterval) return;
  redis.hang_up(*line);
  lost("it has become a replica");
}

void SimulatedRedisClient::State::close() {
  if (ended()) return;
  phase = Phase::closed;
  is_connected = false;
  away = net::redis_unavailable("The connection to Redis is closed, because the program is stopping.");
  if (line) redis.hang_up(*line);
  for (const auto& call : std::exchange(queued, {})) finish(*call, fail(away));
  for (const auto& [number, call] : std::exchange(awaited, {})) finish(*call, fail(away));
  news.tell();
}

// Nobody is told anything: its coroutines are not to run again.
void SimulatedRedisClient::State::crash() {
  if (ended()) return;
  phase = Phase::closed;
  is_connected = false;
  away = net::redis_unavailable("The process has crashed.");
  if (line) redis.cut(*line);
  queued.clear();
  awaited.clear();
}

SimulatedRedisClient::SimulatedRedisClient(SimulatedRedis& redis, Clock& clock, Executor& executor,
                                           net::RedisOptions options)
    : executor_(executor), state_(std::make_shared<State>(redis, clock, std::move(options))) {}

SimulatedRedisClient::~SimulatedRedisClient() {
  state_->close();
}

void SimulatedRedisClient::start() {
  executor_.spawn("simulated Redis connection", State::live(state_));
}

bool SimulatedRedisClient::connected() const {
  return state_->is_connected;
}

void SimulatedRedisClient::cut_off(bool is_cut_off) {
  if (std::exchange(state_->is_cut_off, is_cut_off) == is_cut_off || is_cut_off || !state_->line) return;
  state_->redis.hang_up(*state_->line);
  state_->lost("Connection reset by peer");
}

void SimulatedRedisClient::crash() {
  state_->crash();
}

Task<Result<RedisReply>> SimulatedRedisClient::command(RedisCommand command, std::string, milliseconds timeout) {
  const auto state = state_;
  co_return net::judge(co_await state->exchange(std::move(command), state->deadline(timeout)));
}

Task<Result<RedisReply>> SimulatedRedisClient::eval(const net::RedisScript& script, std::string key,
                                                    std::vector<std::string> arguments, milliseconds timeout) {
  const auto state = state_;
  const SteadyTime deadline = state->deadline(timeout);
  RedisCommand command{"EVALSHA", script.sha1(), "1", std::move(key)};
  std::ranges::move(arguments, std::back_inserter(command));
  auto reply = co_await state->exchange(command, deadline);
  if (reply && net::kind_of(*reply) == "NOSCRIPT") {
    command[0] = "EVAL";
    command[1] = script.source();
    reply = co_await state->exchange(std::move(command), deadline);
  }
  co_return net::judge(std::move(reply));
}

}  // namespace infra::testing
