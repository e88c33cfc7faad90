// How a connection to Redis is had and kept: one attempt after the other with growing pauses, the credentials shown
// before it counts as connected, and a log that tells of changes, not of attempts.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/task.h"
#include "core/time.h"
#include "net/redis/redis_stream.h"

namespace infra::net {

// One event thread. The coroutines that run in it must keep it alive.
class RedisDialer {
 public:
  // `use` is for the log: what the connection is for.
  RedisDialer(boost::asio::io_context& home, RedisTarget target, std::string_view use);
  RedisDialer(const RedisDialer&) = delete;
  RedisDialer& operator=(const RedisDialer&) = delete;

  // One attempt, within the target's connect_timeout: connected, let in, and an answer heard. A server that accepts
  // connections without ever answering is not there.
  Task<Result<std::shared_ptr<RedisStream>>> dial();
  // To be said when a connection that dial() gave is lost. Zero after the first loss, so that the next attempt comes at
  // once; more if connections keep breaking young.
  milliseconds pause_after_loss(std::string_view why);
  milliseconds pause_after_failure();
  Task<void> sleep(milliseconds pause);
  // Ends the attempt or the sleep that is under way; there are no more.
  void close();

  [[nodiscard]] const RedisTarget& target() const { return target_; }
  [[nodiscard]] const std::string& where() const { return where_; }  // "host:port"

 private:
  Task<Result<void>> greet(RedisStream& stream);
  Result<void> judge_greeting(const RedisReply& reply, bool is_auth);
  [[nodiscard]] Error refused(std::string_view words);
  void note_connected();
  void note_failure(const Error& error);
  [[nodiscard]] milliseconds next_pause();

  boost::asio::io_context& home_;
  RedisTarget target_;
  std::string where_;
  std::string_view use_;
  RedisLookup lookup_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<RedisStream> attempt_;
  bool closed_ = false;

  std::minstd_rand random_{std::random_device{}()};
  milliseconds pause_{0};
  SteadyTime connected_at_{};
  bool failure_logged_ = false;
  bool refused_ = false;            // the present attempt, because of the credentials
  SteadyTime refusal_logged_at_{};  // never: the clock's start, long ago
};

}  // namespace infra::net
