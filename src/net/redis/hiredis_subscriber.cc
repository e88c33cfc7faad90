#include "net/redis/hiredis_subscriber.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <utility>

#include "core/mutex.h"
#include "net/redis/redis_dialer.h"
#include "net/redis/redis_wire.h"
#include "telemetry/task_failures.h"

namespace infra::net {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

namespace {

constexpr std::chrono::seconds kPingAfter{1};
constexpr std::chrono::seconds kDropAfter{2};
constexpr std::size_t kReadBytes = 16 * 1024;

SteadyTime now() {
  return std::chrono::steady_clock::now();
}

RedisCommand command_with(std::string name, const std::vector<std::string>& names) {
  RedisCommand command{std::move(name)};
  command.insert(command.end(), names.begin(), names.end());
  return command;
}

}  // namespace

// Lives on one event loop; its coroutines and timer handlers hold it.
struct HiredisSubscriber::State : std::enable_shared_from_this<State> {
  State(EventLoops& loops, const RedisOptions& options, RedisSubscription wanted)
      : home(loops.next()),
        subscription(std::move(wanted)),
        dialer(home, make_redis_target(options), "subscription"),
        timer(home) {}

  Task<void> live(std::shared_ptr<State> self);
  Task<void> connect_once();
  void end_connection();
  Task<std::string> listen(RedisStream& stream);
  void hand_on(std::string_view channel, std::string message);
  [[nodiscard]] std::string take(RedisReply& reply);
  void confirm();
  void close();

  void watch(std::shared_ptr<RedisStream> stream);
  void on_watch(const std::shared_ptr<RedisStream>& stream);
  static Task<void> ping(std::shared_ptr<RedisStream> stream);

  asio::io_context& home;
  const RedisSubscription subscription;
  std::atomic<bool> subscribed = false;
  Mutex waiting;  // held while `subscribed` becomes true
  CondVar confirmed;
  Mutex calling;                                    // held while a callback runs
  bool silenced INFRA_GUARDED_BY(calling) = false;  // no callback any more

  // The rest is touched on the home loop only.
  RedisDialer dialer;
  asio::steady_timer timer;
  std::shared_ptr<RedisStream> stream;
  std::size_t unconfirmed = 0;
  SteadyTime last_heard;
  bool fell_silent = false;
  bool closed = false;
};

Task<void> HiredisSubscriber::State::live(std::shared_ptr<State> self) {  // holds the state while it lives
  while (!closed) {
    if (co_await caught("Redis subscription", connect_once())) continue;
    end_connection();
    co_await dialer.sleep(dialer.pause_after_failure());
  }
  end_connection();
}

Task<void> HiredisSubscriber::State::connect_once() {
  auto dialed = co_await dialer.dial();
  if (closed) co_return;
  milliseconds pause{0};
  if (dialed) {
    stream = *dialed;
    const std::string why = co_await listen(**dialed);
    end_connection();
    if (!closed) pause = dialer.pause_after_loss(why);
  } else {
    pause = dialer.pause_after_failure();
  }
  co_await dialer.sleep(pause);
}

void HiredisSubscriber::State::end_connection() {
  subscribed = false;
  if (stream) stream->close();
  stream.reset();
}

// Until the connection breaks; says why it did.
Task<std::string> HiredisSubscriber::State::listen(RedisStream& line) {
  std::string text;
  unconfirmed = subscription.channels.size() + subscription.patterns.size();
  if (!subscription.channels.empty()) append_command(text, command_with("SUBSCRIBE", subscription.channels));
  if (!subscription.patterns.empty()) append_command(text, command_with("PSUBSCRIBE", subscription.patterns));
  fell_silent = false;
  last_heard = now();
  watch(stream);
  if (const ErrorCode error = co_await line.write_all(text)) co_return error.message();
  if (unconfirmed == 0) confirm();

  RedisReader reader;
  std::array<char, kReadBytes> bytes;
  while (true) {
    const auto piece = co_await line.read_some(bytes);
    if (piece.error) co_return fell_silent ? "it has fallen silent" : piece.error.message();
    last_heard = now();
    reader.feed({bytes.data(), piece.bytes});
    while (true) {
      auto reply = reader.next();
      if (!reply) co_return "what it says is not Redis' protocol: " + reply.error();
      if (!*reply) break;
      if (std::string why = take(**reply); !why.empty()) co_return why;
    }
  }
}

// Says what is wrong, if that ends the connection.
std::string HiredisSubscriber::State::take(RedisReply& reply) {
  if (reply.type == RedisReply::Type::error) return fmt::format("it refuses the subscription: {}", reply.text);
  auto& parts = reply.elements;
  if (parts.empty()) return {};
  const std::string& kind = parts.front().text;
  if (kind == "subscribe" || kind == "psubscribe") {
    if (unconfirmed > 0 && --unconfirmed == 0) confirm();
    return {};
  }
  const bool is_message = (kind == "message" && parts.size() == 3) || (kind == "pmessage" && parts.size() == 4);
  if (!is_message) return {};
  hand_on(parts[parts.size() - 2].text, std::move(parts.back().text));
  return {};
}

// A message that breaks whoever hears it costs that message, not the subscription.
void HiredisSubscriber::State::hand_on(std::string_view channel, std::string message) {
  const MutexLock lock(calling);
  if (silenced || !subscription.on_message) return;
  try {
    subscription.on_message(channel, std::move(message));
  } catch (...) {
    report_task_failure("Redis message", std::current_exception());
  }
}

void HiredisSubscriber::State::confirm() {
  {
    const MutexLock lock(waiting);
    subscribed = true;
  }
  confirmed.notify_all();
  const MutexLock lock(calling);
  if (!silenced && subscription.on_subscribed) subscription.on_subscribed();
}

void HiredisSubscriber::State::close() {
  closed = true;
  dialer.close();
  timer.cancel();
  if (stream) stream->close();
}

void HiredisSubscriber::State::watch(std::shared_ptr<RedisStream> watched) {
  const bool was_pinged = now() - last_heard >= kPingAfter;
  timer.expires_at(last_heard + (was_pinged ? kDropAfter : kPingAfter));
  timer.async_wait([weak = weak_from_this(), watched = std::move(watched)](const ErrorCode& error) {
    if (const auto self = weak.lock(); self && !error) self->on_watch(watched);
  });
}

void HiredisSubscriber::State::on_watch(const std::shared_ptr<RedisStream>& watched) {
  if (closed || watched != stream) return;
  const auto silence = now() - last_heard;
  if (silence >= kDropAfter) {
    fell_silent = true;
    watched->close();
    return;
  }
  if (silence >= kPingAfter && unconfirmed == 0)
    spawn_on(home, "Redis ping", ping(watched));  // else the SUBSCRIBE is under way
  watch(watched);
}

Task<void> HiredisSubscriber::State::ping(std::shared_ptr<RedisStream> line) {
  std::string text;
  append_command(text, {"PING"});
  if (co_await line->write_all(text)) line->close();
}

HiredisSubscriber::HiredisSubscriber(EventLoops& loops, RedisOptions options, RedisSubscription subscription)
    : state_(std::make_shared<State>(loops, options, std::move(subscription))) {}

HiredisSubscriber::~HiredisSubscriber() {
  {
    const MutexLock lock(state_->calling);
    state_->silenced = true;
  }
  if (!state_->home.stopped()) asio::post(state_->home, [state = state_] { state->close(); });
}

void HiredisSubscriber::start() {
  spawn_on(state_->home, "Redis subscription", state_->live(state_));
}

bool HiredisSubscriber::subscribed() const {
  return state_->subscribed;
}

bool HiredisSubscriber::wait_until_subscribed(milliseconds limit) const {
  const auto deadline = now() + limit;
  const MutexLock lock(state_->waiting);
  while (!state_->subscribed && state_->confirmed.wait_until(state_->waiting, deadline)) {
  }
  return state_->subscribed;
}

}  // namespace infra::net
