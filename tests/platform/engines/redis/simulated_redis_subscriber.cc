#include "platform/engines/redis/simulated_redis_subscriber.h"

#include <atomic>
#include <deque>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "platform/engines/redis/redis_link.h"
#include "telemetry/task_failures.h"

namespace infra::testing {

struct SimulatedRedisSubscriber::State final : RedisLineEnd, std::enable_shared_from_this<State> {
  State(SimulatedRedis& r, Clock& c, net::RedisSubscription s, net::RedisOptions o)
      : redis(r), clock(c), subscription(std::move(s)), options(std::move(o)), news(c), backoff(r) {}

  // A message, or that one of the subscriptions is confirmed.
  struct Heard {
    bool is_message = false;
    std::string channel{};
    std::string payload{};
  };

  static Task<void> live(std::shared_ptr<State> self);
  Task<bool> dial();
  Task<void> listen();
  void take(Heard heard);
  void end_connection();
  void end();

  void opened() override {
    if (is_cut_off) return;
    is_open = true;
    news.tell();
  }
  void lost(std::string_view) override {
    if (is_cut_off) return;
    is_lost = true;
    news.tell();
  }
  void answered(std::uint64_t, net::RedisReply) override {}
  void confirmed() override {
    if (is_cut_off) return;
    inbox.push_back({});
    news.tell();
  }
  void heard(std::string channel, std::string payload) override {
    if (is_cut_off) return;
    inbox.push_back({.is_message = true, .channel = std::move(channel), .payload = std::move(payload)});
    news.tell();
  }

  SimulatedRedis& redis;
  Clock& clock;
  const net::RedisSubscription subscription;
  const net::RedisOptions options;
  RedisNews news;
  RedisBackoff backoff;
  std::atomic<bool> is_subscribed = false;
  std::shared_ptr<RedisLine> line;
  bool is_cut_off = false;     // from the network
  SteadyTime silent_for_long;  // if it is
  bool is_open = false;
  bool is_lost = false;
  bool ended = false;
  std::size_t unconfirmed = 0;
  std::deque<Heard> inbox;
};

Task<void> SimulatedRedisSubscriber::State::live(std::shared_ptr<State> self) {
  while (!self->ended) {
    milliseconds pause{0};
    if (co_await self->dial()) {
      co_await self->listen();
      self->end_connection();
      pause = self->backoff.after_loss(self->clock.steady_now());
    } else {
      pause = self->backoff.after_failure();
    }
    const SteadyTime until = self->clock.steady_now() + pause;
    while (!self->ended && self->clock.steady_now() < until) co_await self->news.wait_until(until);
  }
}

Task<bool> SimulatedRedisSubscriber::State::dial() {
  is_open = false;
  is_lost = false;
  inbox.clear();
  line = is_cut_off ? nullptr : redis.dial(shared_from_this());
  const SteadyTime until = clock.steady_now() + options.connect_timeout;
  while (!ended && !is_open && !is_lost && clock.steady_now() < until) co_await news.wait_until(until);
  if (is_open && !is_lost && !ended) co_return true;
  if (!ended && !is_lost && line) redis.hang_up(*line);
  line.reset();
  co_return false;
}

// Until the connection is lost.
Task<void> SimulatedRedisSubscriber::State::listen() {
  backoff.note_connected(clock.steady_now());
  unconfirmed = subscription.channels.size() + subscription.patterns.size();
  redis.subscribe(*line, subscription.channels, subscription.patterns);
  if (unconfirmed == 0) take({});
  while (!ended && !is_lost) {
    while (!ended && !inbox.empty()) {
      Heard next = std::move(inbox.front());
      inbox.pop_front();
      take(std::move(next));
    }
    if (ended || is_lost) break;
    co_await news.wait_until(is_cut_off ? silent_for_long : SteadyTime::max());
    if (!is_cut_off || clock.steady_now() < silent_for_long) continue;
    redis.hang_up(*line);
    break;
  }
}

// A message that breaks whoever hears it costs that message, not the subscription.
void SimulatedRedisSubscriber::State::take(Heard heard) {
  if (!heard.is_message) {
    if (unconfirmed > 1) {
      --unconfirmed;
      return;
    }
    is_subscribed = true;
    if (subscription.on_subscribed) subscription.on_subscribed();
    return;
  }
  if (!subscription.on_message) return;
  try {
    subscription.on_message(heard.channel, std::move(heard.payload));
  } catch (...) {
    report_task_failure("Redis message", std::current_exception());
  }
}

void SimulatedRedisSubscriber::State::end_connection() {
  is_subscribed = false;
  line.reset();
}

void SimulatedRedisSubscriber::State::end() {
  ended = true;
  is_subscribed = false;
  inbox.clear();
}

SimulatedRedisSubscriber::SimulatedRedisSubscriber(SimulatedRedis& redis, Clock& clock, Executor& executor,
                                                   net::RedisSubscription subscription, net::RedisOptions options)
    : executor_(executor), state_(std::make_shared<State>(redis, clock, std::move(subscription), std::move(options))) {}

SimulatedRedisSubscriber::~SimulatedRedisSubscriber() {
  if (state_->ended) return;
  state_->end();
  if (state_->line) state_->redis.hang_up(*state_->line);
  state_->news.tell();
}

void SimulatedRedisSubscriber::start() {
  executor_.spawn("simulated Redis subscription", State::live(state_));
}

bool SimulatedRedisSubscriber::subscribed() const {
  return state_->is_subscribed;
}

bool SimulatedRedisSubscriber::wait_until_subscribed(milliseconds limit) const {
  constexpr milliseconds kLook{10};
  const SteadyTime until = state_->clock.steady_now() + limit;
  while (!state_->is_subscribed && state_->clock.steady_now() < until) {
    state_->clock.pause_until(std::min(until, state_->clock.steady_now() + kLook));
  }
  return state_->is_subscribed;
}

void SimulatedRedisSubscriber::cut_off(bool is_cut_off) {
  constexpr milliseconds kSilence{2000};
  if (std::exchange(state_->is_cut_off, is_cut_off) == is_cut_off) return;
  if (is_cut_off) {
    state_->silent_for_long = state_->clock.steady_now() + kSilence;
    state_->news.tell();
  } else if (state_->line) {
    state_->redis.hang_up(*state_->line);
    state_->lost("Connection reset by peer");
  }
}

void SimulatedRedisSubscriber::crash() {
  if (state_->ended) return;
  state_->end();
  if (state_->line) state_->redis.cut(*state_->line);
}

}  // namespace infra::testing
