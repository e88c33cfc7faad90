// The simulated Redis under the tests that are written for a real one: on one event thread, and real time, which these
// tests wait for.
#include <boost/asio/io_context.hpp>
#include <functional>
#include <utility>

#include "adapters/system/system_clock.h"
#include "adapters/system/system_executor.h"
#include "integration/redis_engine.h"
#include "platform/engines/redis/simulated_redis.h"
#include "platform/engines/redis/simulated_redis_client.h"
#include "platform/engines/redis/simulated_redis_subscriber.h"
#include "platform/engines/redis/step_world.h"

namespace infra::testing {
namespace {

// The one thread that touches the simulation, until it has ended.
class OneThread {
 public:
  explicit OneThread(net::EventLoops& loops) : loops_(loops) {}
  void run(const std::function<void()>& work) const {
    if (loops_.loop(0).stopped()) {
      work();
    } else {
      loops_.run_blocking(task(work));
    }
  }

 private:
  static Task<void> task(const std::function<void()>& work) {
    work();
    co_return;
  }
  net::EventLoops& loops_;
};

class ClientOfThread final : public net::RedisClient {
 public:
  ClientOfThread(OneThread thread, std::unique_ptr<SimulatedRedisClient> inner)
      : thread_(thread), inner_(std::move(inner)) {}
  ~ClientOfThread() override {
    thread_.run([this] { inner_.reset(); });
  }
  ClientOfThread(const ClientOfThread&) = delete;
  ClientOfThread& operator=(const ClientOfThread&) = delete;

  void start() override { inner_->start(); }
  Task<Result<net::RedisReply>> command(net::RedisCommand words, std::string key, milliseconds timeout) override {
    return inner_->command(std::move(words), std::move(key), timeout);
  }
  Task<Result<net::RedisReply>> eval(const net::RedisScript& script, std::string key,
                                     std::vector<std::string> arguments, milliseconds timeout) override {
    return inner_->eval(script, std::move(key), std::move(arguments), timeout);
  }
  [[nodiscard]] bool connected() const override { return inner_->connected(); }

 private:
  OneThread thread_;
  std::unique_ptr<SimulatedRedisClient> inner_;
};

class SubscriberOfThread final : public net::RedisSubscriber {
 public:
  SubscriberOfThread(OneThread thread, std::unique_ptr<SimulatedRedisSubscriber> inner)
      : thread_(thread), inner_(std::move(inner)) {}
  ~SubscriberOfThread() override {
    thread_.run([this] { inner_.reset(); });
  }
  SubscriberOfThread(const SubscriberOfThread&) = delete;
  SubscriberOfThread& operator=(const SubscriberOfThread&) = delete;

  void start() override { inner_->start(); }
  [[nodiscard]] bool subscribed() const override { return inner_->subscribed(); }
  bool wait_until_subscribed(milliseconds limit) const override { return inner_->wait_until_subscribed(limit); }

 private:
  OneThread thread_;
  std::unique_ptr<SimulatedRedisSubscriber> inner_;
};

class SimulatedRedisEngine final : public RedisEngine {
 public:
  explicit SimulatedRedisEngine(net::EventLoops& loops)
      : thread_(loops), executor_(loops), redis_(std::make_unique<SimulatedRedis>(clock_, executor_, random_)) {}
  ~SimulatedRedisEngine() override {
    thread_.run([this] { redis_.reset(); });
  }
  SimulatedRedisEngine(const SimulatedRedisEngine&) = delete;
  SimulatedRedisEngine& operator=(const SimulatedRedisEngine&) = delete;

  void kill() override {
    thread_.run([this] { redis_->kill(); });
  }
  void restart() override {
    thread_.run([this] { redis_->restart(); });
  }
  void freeze() override {
    thread_.run([this] { redis_->freeze(); });
  }
  void thaw() override {
    thread_.run([this] { redis_->thaw(); });
  }
  // And a millisecond, which passes meanwhile where a server is real: a key lives through its last one.
  void advance(milliseconds step) override {
    thread_.run([this, step] { redis_->jump(step + milliseconds{1}); });
  }
  std::string ask(const std::vector<std::string>& command) override {
    net::RedisReply reply;
    thread_.run([&] { reply = redis_->ask(command); });
    while (!reply.elements.empty()) reply = net::RedisReply(reply.elements.front());
    return reply.type == net::RedisReply::Type::integer ? std::to_string(reply.integer) : reply.text;
  }
  std::unique_ptr<net::RedisClient> make_client() override {
    return std::make_unique<ClientOfThread>(thread_,
                                            std::make_unique<SimulatedRedisClient>(*redis_, clock_, executor_));
  }
  std::unique_ptr<net::RedisSubscriber> make_subscriber(net::RedisSubscription subscription) override {
    return std::make_unique<SubscriberOfThread>(
        thread_, std::make_unique<SimulatedRedisSubscriber>(*redis_, clock_, executor_, std::move(subscription)));
  }

 private:
  OneThread thread_;
  SystemClock clock_;
  SystemExecutor executor_;
  SeededRandom random_{1};
  std::unique_ptr<SimulatedRedis> redis_;
};

}  // namespace

std::size_t redis_event_threads() {
  return 1;
}

std::unique_ptr<RedisEngine> make_redis_engine(net::EventLoops& loops) {
  return std::make_unique<SimulatedRedisEngine>(loops);
}

}  // namespace infra::testing
