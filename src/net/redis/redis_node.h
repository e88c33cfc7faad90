// The one connection for commands to one server: pipelined in both directions, kept up, and given up when the server
// falls silent.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/mutex.h"
#include "core/task.h"
#include "core/time.h"
#include "net/loops/one_shot_event.h"
#include "net/redis/redis_client.h"
#include "net/redis/redis_dialer.h"

namespace infra::net {

class RedisNode : public std::enable_shared_from_this<RedisNode> {
 public:
  RedisNode(boost::asio::io_context& home, RedisTarget target);
  RedisNode(const RedisNode&) = delete;
  RedisNode& operator=(const RedisNode&) = delete;

  void start();  // any thread; once
  void close();  // any thread; commands that wait fail
  struct Query {
    std::shared_ptr<const std::string> bytes;  // one command as it goes over the wire
    bool asking = false;                       // behind an ASKING, whose own answer is dropped
    SteadyTime deadline;
  };
  // Error replies are replies. Any event thread; resumes there. The caller holds the node.
  Task<Result<RedisReply>> run(Query query);

  [[nodiscard]] bool connected() const { return connected_; }  // any thread
  [[nodiscard]] milliseconds idle_time() const;                // any thread; since the last run()
  [[nodiscard]] const RedisAddress& address() const { return dialer_.target().address; }

 private:
  // Attempting: commands wait for the connection. Away: they fail at once, whether an attempt is under way or not.
  enum class Phase : std::uint8_t { attempting, connected, away, closed };
  struct Call {
    Query query;
    Result<RedisReply> result;
    std::shared_ptr<OneShotEvent> done;
  };
  using SharedCall = std::shared_ptr<Call>;
  // The call whose answer comes next. Null: an ASKING's.
  using Awaited = std::deque<SharedCall>;

  Task<void> live(std::shared_ptr<RedisNode> self);
  Task<void> connect_once();
  Task<std::string> serve();
  void end_connection(std::string_view why);
  void submit(SharedCall call);
  void take_inbox();
  void start_writing();
  Task<void> write_queued(std::shared_ptr<RedisNode> self, std::shared_ptr<RedisStream> stream);
  [[nodiscard]] std::string gather();
  void take_reply(RedisReply reply);
  void note_role_change(const RedisReply& reply);
  void watch();
  void on_watch();
  void drop(std::string_view why);
  void fail_calls(std::deque<SharedCall>& calls, const Error& error);
  static void finish(Call& call, Result<RedisReply> result);

  boost::asio::io_context& home_;
  std::atomic<bool> connected_ = false;
  std::atomic<SteadyTime> last_used_;

  Mutex mutex_;
  std::vector<SharedCall> inbox_ INFRA_GUARDED_BY(mutex_);  // what other threads ask for

  // The rest is touched on the home loop only.
  RedisDialer dialer_;
  Phase phase_ = Phase::attempting;
  Error away_;
  std::deque<SharedCall> queued_;  // not handed to the socket yet
  Awaited awaited_;
  std::shared_ptr<RedisStream> stream_;
  bool writing_ = false;
  std::string dropped_;  // why we gave the connection up ourselves

  boost::asio::steady_timer watch_timer_;
  bool watching_ = false;
  SteadyTime last_sign_;  // of life, or the time since which one is due
  SteadyTime connected_at_;
};

}  // namespace infra::net
