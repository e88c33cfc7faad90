#include "net/redis/redis_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <utility>

#include "net/loops/event_loops.h"
#include "net/redis/redis_errors.h"
#include "net/redis/redis_wire.h"
#include "telemetry/task_failures.h"

namespace infra::net {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

namespace {

constexpr std::string_view kAsking = "*1\r\n$6\r\nASKING\r\n";
constexpr std::size_t kReadBytes = 16 * 1024;  // hiredis moves what is left to the front each time, so no more
// One write's share: a crowd of commands goes out at once, and huge values are not gathered without bound.
constexpr std::size_t kWriteBytes = 256 * 1024;
constexpr std::chrono::seconds kRoleCheckInterval{1};

SteadyTime now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

RedisNode::RedisNode(asio::io_context& home, RedisTarget target)
    : home_(home), last_used_(now()), dialer_(home, std::move(target), "commands"), watch_timer_(home) {}

void RedisNode::start() {
  spawn_on(home_, "Redis connection", live(shared_from_this()));
}

void RedisNode::close() {
  asio::post(home_, [self = shared_from_this()] {
    self->phase_ = Phase::closed;
    self->away_ = redis_unavailable("The connection to Redis is closed, because the program is stopping.");
    self->fail_calls(self->queued_, self->away_);
    self->dialer_.close();
    self->drop("closed");
  });
}

milliseconds RedisNode::idle_time() const {
  return std::chrono::duration_cast<milliseconds>(now() - last_used_.load());
}

Task<Result<RedisReply>> RedisNode::run(Query query) {
  const SteadyTime began = now();
  const SteadyTime deadline = query.deadline;
  last_used_ = began;
  const auto call = std::make_shared<Call>(Call{std::move(query), {}, OneShotEvent::create()});
  submit(call);
  if (co_await call->done->wait_until(deadline)) co_return std::move(call->result);
  co_return fail(redis_unavailable(
      fmt::format("Redis at {} did not answer within {} ms.", dialer_.where(),
                  std::max<std::int64_t>(std::chrono::duration_cast<milliseconds>(deadline - began).count(), 0))));
}

// The first of a burst posts, the others join it.
void RedisNode::submit(SharedCall call) {
  bool first = false;
  {
    const MutexLock lock(mutex_);
    first = inbox_.empty();
    inbox_.push_back(std::move(call));
  }
  if (first) asio::post(home_, [self = shared_from_this()] { self->take_inbox(); });
}

void RedisNode::take_inbox() {
  std::vector<SharedCall> calls;
  {
    const MutexLock lock(mutex_);
    calls.swap(inbox_);
  }
  if (phase_ == Phase::away || phase_ == Phase::closed) {
    for (const SharedCall& call : calls) finish(*call, fail(away_));
    return;
  }
  std::ranges::move(calls, std::back_inserter(queued_));
  if (phase_ == Phase::connected) start_writing();
}

Task<void> RedisNode::live(std::shared_ptr<RedisNode> self) {  // holds the node while it lives
  while (phase_ != Phase::closed) {
    if (co_await caught("Redis connection", connect_once())) continue;
    end_connection("something broke in here");
    co_await dialer_.sleep(dialer_.pause_after_failure());
  }
}

Task<void> RedisNode::connect_once() {
  auto stream = co_await dialer_.dial();
  if (phase_ == Phase::closed) co_return;
  milliseconds pause{0};
  if (stream) {
    stream_ = std::move(*stream);
    const std::string why = co_await serve();
    pause = dialer_.pause_after_loss(why);
    if (phase_ == Phase::closed) co_return;
    away_ = redis_unavailable(fmt::format("The connection to Redis at {} is lost ({}).", dialer_.where(), why));
  } else {
    away_ = std::move(stream.error());
    pause = dialer_.pause_after_failure();
  }
  if (pause.count() > 0) {
    phase_ = Phase::away;
    fail_calls(queued_, away_);
  }
  co_await dialer_.sleep(pause);
}

// Until the connection breaks; says why it did.
Task<std::string> RedisNode::serve() {
  phase_ = Phase::connected;
  connected_ = true;
  connected_at_ = now();
  dropped_.clear();
  const std::shared_ptr<RedisStream> stream = stream_;
  start_writing();

  RedisReader reader;
  std::array<char, kReadBytes> bytes;
  std::string why;
  while (why.empty()) {
    const auto piece = co_await stream->read_some(bytes);
    if (piece.error) {
      why = dropped_.empty() ? piece.error.message() : dropped_;
      break;
    }
    last_sign_ = now();
    reader.feed({bytes.data(), piece.bytes});
    while (true) {
      auto reply = reader.next();
      if (!reply) why = "what it says is not Redis' protocol: " + reply.error();
      if (!reply || !*reply) break;
      take_reply(std::move(**reply));
    }
  }

  end_connection(why);
  co_return why;
}

void RedisNode::end_connection(std::string_view why) {
  connected_ = false;
  if (phase_ == Phase::connected) phase_ = Phase::attempting;
  if (stream_) stream_->close();
  stream_.reset();
  fail_calls(awaited_, redis_unavailable(fmt::format("The connection to Redis at {} broke before the answer came ({}).",
                                                     dialer_.where(), why)));
}

void RedisNode::start_writing() {
  if (writing_ || queued_.empty() || !stream_ || !stream_->is_open()) return;
  writing_ = true;
  const auto give_up = [self = shared_from_this(), stream = stream_] {
    self->writing_ = false;
    stream->close();  // ends the reading, which cleans up
  };
  spawn_on(home_, {"Redis commands", give_up}, write_queued(shared_from_this(), stream_));
}

// What is asked for during a write goes out together in the next one.
Task<void> RedisNode::write_queued(std::shared_ptr<RedisNode> self, std::shared_ptr<RedisStream> stream) {
  while (stream == stream_ && stream->is_open()) {
    const std::string text = gather();
    if (text.empty()) break;
    watch();
    std::string_view rest = text;
    while (!rest.empty()) {
      const auto piece = co_await stream->write_some(rest);
      if (piece.error) {
        stream->close();  // ends the reading, which cleans up
        break;
      }
      rest.remove_prefix(piece.bytes);
      // The system's buffer was full: that there is room again means that the server reads.
      if (rest.size() + piece.bytes < text.size()) last_sign_ = now();
    }
    if (!rest.empty()) break;
  }
  writing_ = false;
  start_writing();
}

std::string RedisNode::gather() {
  std::string text;
  const SteadyTime present = now();
  if (awaited_.empty()) last_sign_ = present;
  while (!queued_.empty() && text.size() < kWriteBytes) {
    SharedCall call = std::move(queued_.front());
    queued_.pop_front();
    if (call->query.deadline <= present) continue;  // its waiter has given up
    if (call->query.asking) {
      text.append(kAsking);
      awaited_.push_back(nullptr);
    }
    text.append(*call->query.bytes);
    call->query.bytes.reset();
    awaited_.push_back(std::move(call));
  }
  return text;
}

void RedisNode::take_reply(RedisReply reply) {
  if (awaited_.empty()) {
    drop("it says what it was not asked");
    return;
  }
  const SharedCall call = std::move(awaited_.front());
  awaited_.pop_front();
  note_role_change(reply);
  if (call) finish(*call, std::move(reply));
}

// Behind a name that moved in a failover stands another server now: it is looked up again.
void RedisNode::note_role_change(const RedisReply& reply) {
  if (reply.type != RedisReply::Type::error || !reply.text.starts_with("READONLY")) return;
  if (now() - connected_at_ >= kRoleCheckInterval) drop("it has become a replica");
}

// While answers are due, silence is measured. The timer is not touched by each command: it moves on when it fires.
void RedisNode::watch() {
  if (std::exchange(watching_, true)) return;
  on_watch();
}

void RedisNode::on_watch() {
  const SteadyTime due = last_sign_ + dialer_.target().options.command_timeout;
  if (awaited_.empty() || !stream_) {
    watching_ = false;
    return;
  }
  if (now() >= due) {
    watching_ = false;
    drop("it has fallen silent");
    return;
  }
  watch_timer_.expires_at(due);
  watch_timer_.async_wait([weak = weak_from_this()](const ErrorCode& error) {
    if (const auto self = weak.lock(); self && !error) self->on_watch();
  });
}

void RedisNode::drop(std::string_view why) {
  if (!stream_) return;
  if (dropped_.empty()) dropped_ = why;
  stream_->close();
}

void RedisNode::fail_calls(std::deque<SharedCall>& calls, const Error& error) {
  for (const SharedCall& call : std::exchange(calls, {})) {
    if (call) finish(*call, fail(error));
  }
}

void RedisNode::finish(Call& call, Result<RedisReply> result) {
  call.result = std::move(result);
  call.done->notify();
}

}  // namespace infra::net
