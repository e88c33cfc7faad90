#include "platform/engines/redis/simulated_redis.h"

#include <algorithm>
#include <array>
#include <utility>

#include "platform/engines/redis/redis_commands.h"
#include "platform/engines/redis/redis_server_state.h"

namespace infra::testing {

using net::RedisCommand;
using net::RedisReply;

namespace {

constexpr std::string_view kReset = "Connection reset by peer";
constexpr std::string_view kRefused = "Connection refused";
// A subscriber pings a second after the last word, and gives up a second later.
constexpr milliseconds kSoonestSilence{1'000};
constexpr milliseconds kLatestSilence{2'000};

}  // namespace

SimulatedRedis::State::State(Clock& given_clock, Random& random, const SimulatedRedisOptions& given)
    : clock(given_clock),
      dice(random),
      options(given),
      keys(given.history),
      lua([this](const RedisCommand& command) { return run(command); }),
      looked_at(given_clock.steady_now()) {}

// The one task of the server: what happens, happens here, in the order of its time.
Task<void> SimulatedRedis::State::live(std::shared_ptr<State> self) {
  while (!self->ended) {
    while (!self->ended && !self->events.empty() && self->events.begin()->first.first <= self->now()) {
      const auto event = self->events.extract(self->events.begin());
      event.mapped()();
    }
    if (self->ended) break;
    self->waiting = self->clock.make_signal();
    const auto waiting = self->waiting;
    (void)co_await waiting->wait_until(self->events.empty() ? SteadyTime::max() : self->events.begin()->first.first);
  }
}

void SimulatedRedis::State::post(SteadyTime due, std::function<void()> what) {
  events.emplace(std::pair{due, next_event++}, std::move(what));
  if (waiting) waiting->notify();
}

void SimulatedRedis::State::end() {
  ended = true;
  events.clear();
  in_sockets.clear();
  lines.clear();
  if (waiting) waiting->notify();
}

void SimulatedRedis::State::up(RedisLine& line, std::function<void(RedisLine&)> what) {
  const SteadyTime due = now() + dice.between(options.least_latency, options.most_latency);
  line.last_up = std::max(line.last_up, due);
  post(line.last_up,
       [this, shared = line.shared_from_this(), what = std::move(what)] { arrive([shared, what] { what(*shared); }); });
}

void SimulatedRedis::State::arrive(std::function<void()> what) {
  if (frozen) {
    in_sockets.push_back(std::move(what));
  } else {
    what();
  }
}

void SimulatedRedis::State::down(RedisLine& line, std::function<void(RedisLineEnd&)> what) {
  const SteadyTime due = now() + dice.between(options.least_latency, options.most_latency);
  line.last_down = std::max(line.last_down, due);
  post(line.last_down, [shared = line.shared_from_this(), what = std::move(what)] {
    if (shared->hung_up || shared->broken) return;
    if (const auto end = shared->end.lock()) what(*end);
  });
}

void SimulatedRedis::State::break_line(RedisLine& line, std::string_view why) {
  const auto shared = line.shared_from_this();
  line.accepted = false;
  std::erase(lines, shared);
  if (line.broken) return;
  line.broken = true;
  post(now() + dice.between(options.least_latency, options.most_latency), [shared, why] {
    if (shared->hung_up) return;
    if (const auto end = shared->end.lock()) end->lost(why);
  });
}

void SimulatedRedis::State::break_lines(std::string_view why) {
  for (const auto& line : std::vector(lines)) break_line(*line, why);
}

void SimulatedRedis::State::accept(RedisLine& line) {
  if (line.cut) return;
  if (!up_and_running) {
    break_line(line, kRefused);
    return;
  }
  line.accepted = true;
  lines.push_back(line.shared_from_this());
  down(line, [](RedisLineEnd& end) { end.opened(); });
}

void SimulatedRedis::State::serve(RedisLine& line, std::uint64_t call, const RedisCommand& command) {
  if (!line.accepted) return;
  if (line.cut && dice.chance(0.5)) {  // neither this nor what follows was sent
    line.accepted = false;
    std::erase(lines, line.shared_from_this());
    return;
  }
  if (strike(line, call, command)) return;
  RedisReply reply = execute(command);
  if (dice.chance(options.lost_applied)) {
    break_line(line, kReset);
    return;
  }
  down(line, [call, reply = std::move(reply)](RedisLineEnd& end) mutable { end.answered(call, std::move(reply)); });
}

bool SimulatedRedis::State::strike(RedisLine& line, std::uint64_t call, const RedisCommand& command) {
  if (dice.chance(options.jumped)) {
    const auto step = std::chrono::duration_cast<microseconds>(dice.between(milliseconds(0), options.jumped_by));
    jumped += dice.chance(0.5) ? step.count() : -step.count();
  }
  if (dice.chance(options.frozen)) {
    freeze_for(dice.between(milliseconds(1), options.frozen_for));
    in_sockets.emplace_back([this, shared = line.shared_from_this(), call, command] { serve(*shared, call, command); });
    return true;
  }
  if (dice.chance(options.emptied)) {
    kill();
    up_and_running = true;
    return true;
  }
  if (dice.chance(options.failed_over)) {
    fail_over(dice.between(milliseconds(0), std::min(options.history, options.failed_over_loses)),
              dice.between(milliseconds(0), options.failed_over_away_for));
    return true;
  }
  if (dice.chance(options.lost_unapplied)) {
    break_line(line, kReset);
    return true;
  }
  if (!dice.chance(options.not_now)) return false;
  static constexpr std::array kWords{"LOADING Redis is loading the dataset in memory",
                                     "READONLY You can't write against a read only replica.",
                                     "OOM command not allowed when used memory > 'maxmemory'."};
  const std::string words = kWords.at(dice.below(kWords.size()));
  down(line, [call, words](RedisLineEnd& end) { end.answered(call, redis_reply::error(words)); });
  return true;
}

// Whoever listens notices the silence, because its pings go unanswered.
void SimulatedRedis::State::freeze() {
  if (frozen) return;
  frozen = true;
  const std::uint64_t this_freeze = ++freezes;
  for (const auto& line : lines) {
    if (line->channels.empty() && line->patterns.empty()) continue;
    post(now() + dice.between(kSoonestSilence, kLatestSilence), [this, line, this_freeze] {
      if (!frozen || freezes != this_freeze || line->hung_up || line->broken) return;
      line->hung_up = true;
      if (const auto end = line->end.lock()) end->lost("it has fallen silent");
      arrive([this, line] { std::erase(lines, line); });
    });
  }
}

void SimulatedRedis::State::freeze_for(milliseconds time) {
  freeze();
  post(now() + time, [this, this_freeze = freezes] {
    if (freezes == this_freeze) thaw();
  });
}

void SimulatedRedis::State::thaw() {
  if (!frozen) return;
  frozen = false;
  for (auto& what : std::exchange(in_sockets, {})) arrive(std::move(what));
}

void SimulatedRedis::State::kill() {
  up_and_running = false;
  ++outages;
  frozen = false;
  keys.clear();
  scripts.clear();
  // Whoever waits to be let in is refused.
  for (auto& what : std::exchange(in_sockets, {})) post(now(), std::move(what));
  break_lines(kReset);
}

void SimulatedRedis::State::fail_over(milliseconds lost, milliseconds away) {
  up_and_running = false;
  const std::uint64_t this_outage = ++outages;
  frozen = false;
  keys.go_back(now() - lost);
  scripts.clear();
  break_lines(kReset);
  for (auto& what : std::exchange(in_sockets, {})) post(now(), std::move(what));
  const auto take_over = [this, this_outage] {
    if (outages == this_outage) up_and_running = true;
  };
  if (away.count() == 0) {
    take_over();
  } else {
    post(now() + away, take_over);
  }
}

SimulatedRedis::SimulatedRedis(Clock& clock, Executor& executor, Random& random, SimulatedRedisOptions options)
    : state_(std::make_shared<State>(clock, random, options)) {
  executor.spawn("simulated Redis", State::live(state_));
}

SimulatedRedis::~SimulatedRedis() {
  state_->end();
}

void SimulatedRedis::set_options(const SimulatedRedisOptions& options) {
  (void)state_->wall_micros();  // what it has drifted so far stays
  state_->options = options;
}

void SimulatedRedis::kill() {
  state_->kill();
}

void SimulatedRedis::start() {
  state_->up_and_running = true;
}

void SimulatedRedis::restart() {
  kill();
  start();
}

void SimulatedRedis::empty() {
  state_->keys.clear();
}

void SimulatedRedis::freeze() {
  state_->freeze();
}

void SimulatedRedis::thaw() {
  state_->thaw();
}

void SimulatedRedis::fail_over(milliseconds lost, milliseconds away) {
  state_->fail_over(lost, away);
}

void SimulatedRedis::break_connections() {
  state_->break_lines(kReset);
}

void SimulatedRedis::jump(milliseconds step) {
  state_->jumped += std::chrono::duration_cast<microseconds>(step).count();
}

bool SimulatedRedis::is_up() const {
  return state_->up_and_running;
}

bool SimulatedRedis::is_frozen() const {
  return state_->frozen;
}

RedisReply SimulatedRedis::ask(const RedisCommand& command) {
  return state_->execute(command);
}

std::shared_ptr<RedisLine> SimulatedRedis::dial(const std::shared_ptr<RedisLineEnd>& end) {
  auto line = std::make_shared<RedisLine>();
  line->end = end;
  state_->up(*line, [state = state_.get()](RedisLine& arrived) { state->accept(arrived); });
  return line;
}

void SimulatedRedis::send(RedisLine& line, std::uint64_t call, RedisCommand command) {
  if (state_->dice.chance(state_->options.held_up)) {
    const auto delay = state_->dice.between(milliseconds(0), state_->options.held_up_for);
    line.last_up = std::max(line.last_up, state_->now() + delay);
  }
  state_->up(line, [state = state_.get(), call, command = std::move(command)](RedisLine& arrived) {
    state->serve(arrived, call, command);
  });
}

void SimulatedRedis::subscribe(RedisLine& line, const std::vector<std::string>& channels,
                               const std::vector<std::string>& patterns) {
  const auto subscribe_to = [&](const std::vector<std::string>& names, std::set<std::string> RedisLine::* listed) {
    if (names.empty()) return;
    state_->up(line, [state = state_.get(), names, listed](RedisLine& arrived) {
      if (!arrived.accepted || arrived.cut) return;
      for (const std::string& name : names) {
        (arrived.*listed).insert(name);
        state->down(arrived, [](RedisLineEnd& end) { end.confirmed(); });
      }
    });
  };
  subscribe_to(channels, &RedisLine::channels);
  subscribe_to(patterns, &RedisLine::patterns);
}

void SimulatedRedis::hang_up(RedisLine& line) {
  line.hung_up = true;
  state_->up(line, [state = state_.get()](RedisLine& arrived) {
    arrived.accepted = false;
    std::erase(state->lines, arrived.shared_from_this());
  });
}

void SimulatedRedis::cut(RedisLine& line) {
  line.cut = true;
  hang_up(line);
}

milliseconds SimulatedRedis::jitter(milliseconds most) {
  return state_->dice.between(most / 2, most);
}

}  // namespace infra::testing
