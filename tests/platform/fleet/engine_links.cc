#include "platform/fleet/engine_links.h"

#include <memory>
#include <utility>

#include "core/operator_error_codes.h"

namespace infra::sim {

// Packets that go nowhere: whoever is cut off waits for its answer to the end of its time.
class EngineLinks::Http final : public net::HttpClient {
 public:
  explicit Http(EngineLinks& links) : links_(links), client_(links.aws_, links.clock_) {
    links_.http_.insert(&client_);
  }
  ~Http() override { links_.http_.erase(&client_); }
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  Task<Result<net::Response>> send(net::ClientRequest request) override {
    const SteadyTime deadline = links_.clock_.steady_now() + request.timeout;
    if (!links_.reach_.is_cut_off) {
      auto answer = co_await client_.send(std::move(request));
      if (!links_.reach_.is_cut_off) co_return answer;
    }
    co_await links_.clock_.sleep_until(deadline);
    co_return fail(errors::http_timeout, "No answer: the machine is cut off.");
  }

 private:
  EngineLinks& links_;
  simulation::SimulatedHttpClient client_;
};

class EngineLinks::Commands final : public net::RedisClient {
 public:
  Commands(EngineLinks& links, const net::RedisOptions& options)
      : links_(links), client_(links.redis_, links.clock_, links.executor_, options) {
    client_.cut_off(links_.reach_.is_cut_off);
    links_.commands_.insert(&client_);
  }
  ~Commands() override { links_.commands_.erase(&client_); }
  Commands(const Commands&) = delete;
  Commands& operator=(const Commands&) = delete;

  void start() override { client_.start(); }
  Task<Result<net::RedisReply>> command(net::RedisCommand words, std::string key, milliseconds timeout) override {
    return client_.command(std::move(words), std::move(key), timeout);
  }
  Task<Result<net::RedisReply>> eval(const net::RedisScript& script, std::string key,
                                     std::vector<std::string> arguments, milliseconds timeout) override {
    return client_.eval(script, std::move(key), std::move(arguments), timeout);
  }
  [[nodiscard]] bool connected() const override { return client_.connected(); }

 private:
  EngineLinks& links_;
  testing::SimulatedRedisClient client_;
};

class EngineLinks::Ear final : public net::RedisSubscriber {
 public:
  Ear(EngineLinks& links, const net::RedisOptions& options, net::RedisSubscription wanted)
      : links_(links), subscriber_(links.redis_, links.clock_, links.executor_, std::move(wanted), options) {
    subscriber_.cut_off(links_.reach_.is_cut_off);
    links_.ears_.insert(&subscriber_);
  }
  ~Ear() override { links_.ears_.erase(&subscriber_); }
  Ear(const Ear&) = delete;
  Ear& operator=(const Ear&) = delete;

  void start() override { subscriber_.start(); }
  [[nodiscard]] bool subscribed() const override { return subscriber_.subscribed(); }
  bool wait_until_subscribed(milliseconds limit) const override { return subscriber_.wait_until_subscribed(limit); }

 private:
  EngineLinks& links_;
  testing::SimulatedRedisSubscriber subscriber_;
};

SimulatedEngines EngineLinks::engines() {
  return {.http = [this] { return std::make_unique<Http>(*this); },
          .redis = [this](const net::RedisOptions& options) { return std::make_unique<Commands>(*this, options); },
          .subscriber =
              [this](const net::RedisOptions& options, net::RedisSubscription wanted) {
                return std::make_unique<Ear>(*this, options, std::move(wanted));
              }};
}

void EngineLinks::crash() {
  for (auto* client : http_) client->crash();
  for (auto* client : commands_) client->crash();
  for (auto* ear : ears_) ear->crash();
}

void EngineLinks::reach_changed() {
  for (auto* client : commands_) client->cut_off(reach_.is_cut_off);
  for (auto* ear : ears_) ear->cut_off(reach_.is_cut_off);
}

}  // namespace infra::sim
