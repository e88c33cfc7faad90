// Commands to Redis.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/task.h"
#include "core/time.h"

namespace infra::net {

struct RedisOptions {
  std::string host = "localhost";
  std::uint16_t port = 6379;
  std::string username{};  // ACL user; empty: the default user
  std::string password{};  // empty: no AUTH
  bool tls = false;        // verified against the system's authorities, and the host's name
  std::string ca_file{};   // with tls: authorities in place of the system's
  std::string ca_pem{};    // and what is in that file, if it was read already
  milliseconds connect_timeout{1000};
  milliseconds command_timeout{1000};  // a command's time if it names none
};

// RESP2. An error reply inside an array stays a value; one at the top becomes an Error (see RedisClient).
struct RedisReply {
  enum class Type : std::uint8_t { nil, status, error, integer, text, array };
  Type type = Type::nil;
  std::string text;  // of status, error, text
  std::int64_t integer = 0;
  std::vector<RedisReply> elements;
  [[nodiscard]] bool is_nil() const { return type == Type::nil; }
};

using RedisCommand = std::vector<std::string>;  // "SET", "key", "value" …; binary-safe

// A Lua script that touches one key. Its SHA-1 is computed once.
class RedisScript {
 public:
  explicit RedisScript(std::string source);
  [[nodiscard]] const std::string& source() const { return source_; }
  [[nodiscard]] const std::string& sha1() const { return sha1_; }

 private:
  std::string source_;
  std::string sha1_;
};

// Every Task: call from any event thread; resumes there. Errors: `unavailable` (code redis_unavailable, retry_after 1
// s) when no connection can be had, it broke before the reply came (the command may have run), or the server says that
// it can't serve now (LOADING, CLUSTERDOWN, MASTERDOWN, READONLY, OOM, BUSY …); `timeout` never: a late reply is
// `unavailable` too; `internal` (code redis_refused) for any other error reply, with the server's words.
class RedisClient {
 public:
  virtual ~RedisClient() = default;

  // Connects in the background and stays connected: after a loss at once, then with jittered backoff from 50 ms to 1 s.
  // Non-blocking; once. While there is no connection commands fail at once, but for those that come during the first
  // attempt after start() or after a loss: these wait for it, within their own time.
  virtual void start() = 0;

  // `key` decides the node in a cluster; MOVED and ASK are followed. An empty key (PING, PUBLISH …): any node. Without
  // a timeout the options' holds.
  virtual Task<Result<RedisReply>> command(RedisCommand command, std::string key, milliseconds timeout) = 0;
  Task<Result<RedisReply>> command(RedisCommand words, std::string key) {
    return command(std::move(words), std::move(key), milliseconds{});
  }
  // EVALSHA, and EVAL where the server does not know the script. One key.
  virtual Task<Result<RedisReply>> eval(const RedisScript& script, std::string key, std::vector<std::string> arguments,
                                        milliseconds timeout) = 0;
  Task<Result<RedisReply>> eval(const RedisScript& script, std::string key, std::vector<std::string> arguments) {
    return eval(script, std::move(key), std::move(arguments), milliseconds{});
  }

  [[nodiscard]] virtual bool connected() const = 0;  // any thread
};

}  // namespace infra::net
