// An Executor that runs blocking work where it is asked for, and a clock that only moves when a test moves it: adapters
// are tested on the test's own threads, and any number of these may use one adapter at once.
#pragma once

#include <atomic>

#include "ports/clock.h"
#include "ports/executor.h"

namespace infra::testing {

class OffloadInline final : public Executor {
 public:
  void spawn(Task<void>) override {}
  void spawn_on_each(const std::function<Task<void>()>&) override {}
  Task<void> yield() override { co_return; }
  Task<bool> readable(int, milliseconds) override { co_return false; }
  Task<void> offload(std::function<void()> work) override {
    work();
    co_return;
  }
};

// Any thread may move it. Nobody can wait on it.
class HandClock final : public Clock {
 public:
  void advance(milliseconds by) { ms_ += by.count(); }
  [[nodiscard]] WallTime now() const override { return WallTime{milliseconds{1'795'468'142'000 + ms_.load()}}; }
  [[nodiscard]] SteadyTime steady_now() const override { return SteadyTime{milliseconds{1'000'000 + ms_.load()}}; }
  Task<void> sleep_until(SteadyTime) override { co_return; }
  [[nodiscard]] std::shared_ptr<Signal> make_signal() override { return nullptr; }

 private:
  std::atomic<std::int64_t> ms_{0};
};

}  // namespace infra::testing
