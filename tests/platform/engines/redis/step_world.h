// A test's thread with virtual time: what can run runs, and when nothing can, time passes, a step at once.
#pragma once

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <utility>

#include "platform/engines/redis/simulated_redis.h"
#include "platform/engines/redis/simulated_redis_client.h"
#include "ports/random.h"
#include "support/manual_clock.h"

namespace infra::testing {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(std::span<std::byte> out) override {
    for (auto& byte : out) byte = static_cast<std::byte>(engine_() & 0xFFU);
  }

 private:
  std::mt19937_64 engine_;
};

class StepExecutor final : public Executor {
 public:
  void spawn(TaskOwner, Task<void> task) override {
    ++running_;
    boost::asio::co_spawn(loop_, std::move(task), [this](std::exception_ptr thrown) {
      --running_;
      if (thrown) std::rethrow_exception(thrown);
    });
  }
  void spawn_on_each(const TaskOwner& owner, const std::function<Task<void>()>& make) override { spawn(owner, make()); }
  Task<void> yield() override { co_return; }
  Task<bool> readable(int, milliseconds) override { co_return false; }
  Task<void> offload(std::function<void()> work) override {
    work();
    co_return;
  }
  std::unique_ptr<Background> background(const char*, Background::Step) override { return nullptr; }

  void run_ready() {
    loop_.restart();
    loop_.poll();
  }
  [[nodiscard]] std::size_t running() const { return running_; }  // tasks that have not ended

 private:
  std::size_t running_ = 0;
  boost::asio::io_context loop_;
};

class StepWorld {
 public:
  explicit StepWorld(SimulatedRedisOptions options = {}, std::uint64_t seed = 1)
      : random(seed), redis(std::in_place, clock, executor, random, options) {}

  void pass(milliseconds time) {
    executor.run_ready();
    for (; time.count() > 0; time -= std::min(time, step)) {
      clock.advance(std::min(time, step));
      executor.run_ready();
    }
  }
  template <typename T>
  T run(Task<T> task) {
    std::optional<T> value;
    executor.spawn("test", keep(std::move(task), value));
    executor.run_ready();
    for (milliseconds left{600'000}; !value; left -= step) {
      if (left.count() <= 0) throw std::runtime_error("a task does not end");
      pass(step);
    }
    return std::move(*value);
  }
  // Goes on while the test does something else.
  template <typename T>
  void begin(Task<T> task, std::optional<T>& value) {
    executor.spawn("test", keep(std::move(task), value));
    executor.run_ready();
  }
  [[nodiscard]] std::unique_ptr<SimulatedRedisClient> client() {
    auto made = std::make_unique<SimulatedRedisClient>(*redis, clock, executor);
    made->start();
    pass(milliseconds{0});
    return made;
  }

  milliseconds step{1};
  ManualClock clock;
  SeededRandom random;
  StepExecutor executor;
  std::optional<SimulatedRedis> redis;

 private:
  template <typename T>
  static Task<void> keep(Task<T> task, std::optional<T>& value) {
    value.emplace(co_await std::move(task));
  }
};

}  // namespace infra::testing
