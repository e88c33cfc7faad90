// A real Redis of a test's own: on a free port of loopback, stopped with the object; it can be killed, frozen and moved
// in time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "core/time.h"
#include "net/redis/redis_client.h"

namespace infra::testing {

struct RedisServerOptions {
  bool fake_time = false;  // its clock is real until advance() moves it (libfaketime)
  bool tls = false;        // a certificate made for the test; options().ca_file is its authority
  std::string username{};  // an ACL user with all rights; the default user is off then
  std::string password{};  // alone: requirepass
  bool cluster = false;    // cluster mode, no slots yet
};

// Throws std::runtime_error, with the server's own words, if it does not start. One thread at a time, advance() aside.
class RedisServer {
 public:
  explicit RedisServer(RedisServerOptions options = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  void kill();     // SIGKILL; nothing is kept
  void restart();  // empty, on the same port; returns once it answers
  void freeze();   // SIGSTOP
  void thaw();
  void advance(milliseconds step);  // with fake_time; any thread
  // With fake_time, instead of advance(): its clock stands still there. Any thread.
  void hold_time(std::chrono::sys_seconds at);

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] net::RedisOptions options() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Three masters that share the slots, joined and ready.
class RedisCluster {
 public:
  RedisCluster();
  ~RedisCluster();
  RedisCluster(const RedisCluster&) = delete;
  RedisCluster& operator=(const RedisCluster&) = delete;

  [[nodiscard]] RedisServer& node(std::size_t index);  // 0 to 2
  [[nodiscard]] net::RedisOptions options() const;     // of the first node

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace infra::testing
