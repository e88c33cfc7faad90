// Health of Redis: commands are answered, and what is published is heard.
#pragma once

#include <functional>

#include "net/redis/redis_client.h"
#include "ports/health_probe.h"

namespace infra {

class RedisProbe final : public HealthProbe {
 public:
  // `subscribed` may be empty: a program that listens to nothing.
  RedisProbe(net::RedisClient& redis, std::function<bool()> subscribed)
      : redis_(redis), subscribed_(std::move(subscribed)) {}
  [[nodiscard]] std::string name() const override { return "redis"; }
  Task<Result<void>> probe() override;

 private:
  net::RedisClient& redis_;
  const std::function<bool()> subscribed_;
};

}  // namespace infra
