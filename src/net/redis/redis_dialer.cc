#include "net/redis/redis_dialer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "net/redis/redis_errors.h"
#include "net/redis/redis_wire.h"
#include "telemetry/log.h"

namespace infra::net {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

namespace {

constexpr milliseconds kFirstPause{50};
constexpr milliseconds kLongestPause{1000};
constexpr std::chrono::seconds kStable{1};  // a connection that lived so long was a good one
constexpr std::chrono::minutes kRefusalLogInterval{1};

SteadyTime now() {
  return std::chrono::steady_clock::now();
}

// Closes the stream at the deadline, unless it goes out of scope first.
class Deadline {
 public:
  Deadline(asio::io_context& home, SteadyTime at, std::shared_ptr<RedisStream> stream)
      : timer_(home, at), over_(std::make_shared<bool>(false)), passed_(std::make_shared<bool>(false)) {
    timer_.async_wait([over = over_, passed = passed_, stream = std::move(stream)](const ErrorCode& error) {
      if (error || *over) return;
      *passed = true;
      stream->close();
    });
  }
  ~Deadline() { *over_ = true; }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  [[nodiscard]] bool passed() const { return *passed_; }

 private:
  asio::steady_timer timer_;
  std::shared_ptr<bool> over_;
  std::shared_ptr<bool> passed_;
};

}  // namespace

RedisDialer::RedisDialer(asio::io_context& home, RedisTarget target, std::string_view use)
    : home_(home),
      target_(std::move(target)),
      where_(to_text(target_.address)),
      use_(use),
      lookup_(home, target_.address),
      timer_(home) {}

Task<Result<std::shared_ptr<RedisStream>>> RedisDialer::dial() {
  const SteadyTime deadline = now() + target_.options.connect_timeout;
  const auto unreachable = [this](std::string_view why) {
    return redis_unavailable(fmt::format(
        "No connection to Redis at {} ({}); check that it runs and can be reached from here.", where_, why));
  };
  refused_ = false;
  auto found = co_await lookup_.find(deadline);
  if (closed_) co_return fail(unreachable("the client is closed"));
  std::optional<Error> failure;
  auto stream = std::make_shared<RedisStream>(home_);
  if (found.error) {
    failure = unreachable(found.error.message());
  } else {
    attempt_ = stream;
    const Deadline timer(home_, deadline, stream);
    if (const ErrorCode error = co_await stream->connect(std::move(found.endpoints), target_)) {
      failure = unreachable(timer.passed() ? "no answer in time" : error.message());
    } else if (auto greeted = co_await greet(*stream); !greeted) {
      failure = timer.passed() ? unreachable("no answer in time") : std::move(greeted.error());
    } else if (timer.passed()) {
      failure = unreachable("no answer in time");
    }
    attempt_.reset();
  }
  if (failure) {
    stream->close();
    if (!closed_) note_failure(*failure);
    co_return fail(std::move(*failure));
  }
  note_connected();
  co_return stream;
}

// AUTH and PING go together; an answer to both is what makes a connection one.
Task<Result<void>> RedisDialer::greet(RedisStream& stream) {
  const RedisOptions& options = target_.options;
  std::string text;
  const bool has_auth = !options.password.empty();
  if (has_auth && options.username.empty()) append_command(text, {"AUTH", options.password});
  if (has_auth && !options.username.empty()) append_command(text, {"AUTH", options.username, options.password});
  append_command(text, {"PING"});
  const auto broken = [this](std::string_view why) {
    return redis_unavailable(
        fmt::format("Redis at {} ended the connection before its first answer ({}).", where_, why));
  };
  if (const ErrorCode error = co_await stream.write_all(text)) co_return fail(broken(error.message()));

  RedisReader reader;
  std::array<char, 1024> bytes{};
  for (int expected = has_auth ? 2 : 1; expected > 0;) {
    const auto piece = co_await stream.read_some(bytes);
    if (piece.error) co_return fail(broken(piece.error.message()));
    reader.feed({bytes.data(), piece.bytes});
    while (expected > 0) {
      const auto reply = reader.next();
      if (!reply) co_return fail(broken("it does not speak Redis' protocol"));
      if (!*reply) break;
      if (auto ok = judge_greeting(**reply, has_auth && expected == 2); !ok) co_return ok;
      --expected;
    }
  }
  co_return Result<void>{};
}

Result<void> RedisDialer::judge_greeting(const RedisReply& reply, bool is_auth) {
  if (reply.type != RedisReply::Type::error) return {};
  if (is_auth || reply.text.starts_with("NOAUTH")) return fail(refused(reply.text));
  if (reply.text.starts_with("LOADING") || reply.text.starts_with("MASTERDOWN")) {
    return fail(redis_unavailable(fmt::format("Redis at {} can't serve yet ({}).", where_, reply.text)));
  }
  return {};  // a user who may not PING has had an answer all the same
}

Error RedisDialer::refused(std::string_view words) {
  refused_ = true;
  return redis_unavailable(
      fmt::format("Redis at {} refused the credentials ({}); check its user name and password.", where_, words));
}

milliseconds RedisDialer::pause_after_loss(std::string_view why) {
  if (!closed_) log::warn("Redis connection lost", {{"address", where_}, {"use", use_}, {"reason", why}});
  failure_logged_ = true;
  if (now() - connected_at_ >= kStable) pause_ = milliseconds(0);
  return next_pause();
}

milliseconds RedisDialer::pause_after_failure() {
  pause_ = std::max(pause_, kFirstPause);
  return next_pause();
}

milliseconds RedisDialer::next_pause() {
  const milliseconds pause = std::exchange(pause_, std::clamp(pause_ * 2, kFirstPause, kLongestPause));
  return milliseconds(std::uniform_int_distribution<std::int64_t>(pause.count() / 2, pause.count())(random_));
}

Task<void> RedisDialer::sleep(milliseconds pause) {
  if (closed_ || pause.count() == 0) co_return;
  timer_.expires_after(pause);
  (void)co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
}

void RedisDialer::close() {
  closed_ = true;
  timer_.cancel();
  if (attempt_) attempt_->close();
}

void RedisDialer::note_connected() {
  connected_at_ = now();
  failure_logged_ = false;
  log::info("Redis connected", {{"address", where_}, {"use", use_}});
}

void RedisDialer::note_failure(const Error& error) {
  const bool is_due = refused_ ? now() - refusal_logged_at_ >= kRefusalLogInterval : !failure_logged_;
  if (refused_ && is_due) refusal_logged_at_ = now();
  if (is_due) log::warn("Redis cannot be used", {{"address", where_}, {"use", use_}, {"reason", error.message}});
  failure_logged_ = true;
}

}  // namespace infra::net
