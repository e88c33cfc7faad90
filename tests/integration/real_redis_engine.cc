// A real server with a clock that can be moved, and the program's own clients.
#include <utility>

#include "integration/redis_engine.h"
#include "net/redis/hiredis_client.h"
#include "net/redis/hiredis_subscriber.h"
#include "support/redis_control.h"
#include "support/redis_server.h"

namespace infra::testing {
namespace {

class RealRedisEngine final : public RedisEngine {
 public:
  explicit RealRedisEngine(net::EventLoops& loops) : loops_(loops) {}
  void kill() override { server_.kill(); }
  void restart() override { server_.restart(); }
  void freeze() override { server_.freeze(); }
  void thaw() override { server_.thaw(); }
  void advance(milliseconds step) override { server_.advance(step); }
  std::string ask(const std::vector<std::string>& command) override {
    return RedisControl(server_.port()).ask_one(command);
  }
  std::unique_ptr<net::RedisClient> make_client() override {
    return std::make_unique<net::HiredisClient>(loops_, server_.options());
  }
  std::unique_ptr<net::RedisSubscriber> make_subscriber(net::RedisSubscription subscription) override {
    return std::make_unique<net::HiredisSubscriber>(loops_, server_.options(), std::move(subscription));
  }

 private:
  net::EventLoops& loops_;
  RedisServer server_{{.fake_time = true}};
};

}  // namespace

std::size_t redis_event_threads() {
  return 2;
}

std::unique_ptr<RedisEngine> make_redis_engine(net::EventLoops& loops) {
  return std::make_unique<RealRedisEngine>(loops);
}

}  // namespace infra::testing
