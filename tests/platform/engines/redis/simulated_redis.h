// A Redis in memory, behind net::RedisClient and net::RedisSubscriber: one server that all simulated processes share,
// on a virtual clock, and the network to it. It promises what a Redis without persistence promises, and nothing more.
//
// All of it is one thread's: clients, subscribers and whoever calls for a fault run where its executor's tasks run.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "net/redis/redis_client.h"
#include "ports/clock.h"
#include "ports/executor.h"
#include "ports/random.h"

namespace infra::testing {

using std::chrono::microseconds;

// Everything is off by default. A chance is from 0 to 1; how long or how much is drawn up to the bound beside it.
struct SimulatedRedisOptions {
  microseconds least_latency{0};  // one way
  microseconds most_latency{0};
  milliseconds history{0};  // how many writes fail_over() can lose
  double drift = 0;         // of the server's clock: 1e-4 gains a second in 10,000

  // For each command that a client sends:
  double held_up = 0;  // it, and what follows on its connection, arrives late, perhaps after its caller has given up
  milliseconds held_up_for{5'000};
  // For each command that arrives:
  double lost_unapplied = 0;  // the connection breaks before the server has read it,
  double lost_applied = 0;    // or before its answer is sent
  double not_now = 0;         // LOADING, READONLY, OOM …
  double frozen = 0;          // the server stops for a while; this command waits with all others
  milliseconds frozen_for{5'000};
  double emptied = 0;  // it ends, and is there again at once, empty
  double failed_over = 0;
  milliseconds failed_over_loses{1'000};  // within `history`
  milliseconds failed_over_away_for{2'000};
  double jumped = 0;  // the server's wall clock, forwards or back
  milliseconds jumped_by{60'000};
  // For each message on its way to a subscriber: its connection breaks instead, and what is published until it is back
  // is lost with it.
  double unheard = 0;
};

// One connection; made by SimulatedRedis::dial(), and touched by nobody else.
struct RedisLine;

// A client's end of a connection. Called by the server's task, so it only notes what it hears. Nothing follows lost().
class RedisLineEnd {
 public:
  virtual ~RedisLineEnd() = default;
  virtual void opened() = 0;
  virtual void lost(std::string_view why) = 0;
  virtual void answered(std::uint64_t call, net::RedisReply reply) = 0;  // in the order of the calls
  virtual void confirmed() = 0;                                          // one of the subscriptions
  virtual void heard(std::string channel, std::string payload) = 0;
};

class SimulatedRedis {
 public:
  // All are borrowed: the clock of the server's machine, an executor that is no process of the program's, the seed's
  // randomness. They, and this, outlive the clients. Its task ends soon after it.
  SimulatedRedis(Clock& clock, Executor& executor, Random& random, SimulatedRedisOptions options = {});
  ~SimulatedRedis();
  SimulatedRedis(const SimulatedRedis&) = delete;
  SimulatedRedis& operator=(const SimulatedRedis&) = delete;

  // The chances and latencies from now on; the history's length stays.
  void set_options(const SimulatedRedisOptions& options);

  // Faults at a moment of the test's.
  void kill();     // what it holds is gone, connections break, none is let in
  void start();    // after kill(): empty
  void restart();  // both
  void empty();    // its values go, scripts and connections stay
  void freeze();   // it reads nothing and its clock goes on; what is sent waits in its sockets
  void thaw();     // and does what was sent, also by those who have given up
  // A replica takes over: writes of the last `lost` are gone, as are scripts and connections; nobody is let in for
  // `away`.
  void fail_over(milliseconds lost, milliseconds away);
  void break_connections();          // what has not arrived is not done
  void jump(milliseconds step);      // the server's wall clock; may be negative
  [[nodiscard]] bool is_up() const;  // not killed, nor amid a failover
  [[nodiscard]] bool is_frozen() const;

  // As another client would, at once and whatever the server's state: for a test's own looks and its setting of scenes.
  net::RedisReply ask(const net::RedisCommand& command);

  // What follows is for the clients.

  // opened() or lost() follows, unless the server is frozen.
  std::shared_ptr<RedisLine> dial(const std::shared_ptr<RedisLineEnd>& end);
  void send(RedisLine& line, std::uint64_t call, net::RedisCommand command);
  void subscribe(RedisLine& line, const std::vector<std::string>& channels, const std::vector<std::string>& patterns);
  // Nothing is heard any more; what was sent arrives.
  void hang_up(RedisLine& line);
  // The process has crashed: of what it sent the seed decides how much arrives.
  void cut(RedisLine& line);
  [[nodiscard]] milliseconds jitter(milliseconds most);  // from half of it

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace infra::testing
