// An executor without a thread: a background's steps are made by the test, on the test's own thread.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "support/inline_executor.h"

namespace infra::fakes {

class SteppingBackground final : public Background {
 public:
  explicit SteppingBackground(Step step) : step_(std::move(step)) {}
  void wake() override { woken_ = true; }
  void run_until(const std::function<bool()>& done) override {
    while (!done()) (void)make_step();
  }
  // Also one that nobody has woken: its time may have come.
  SteadyTime make_step() {
    woken_ = false;
    return step_();
  }
  [[nodiscard]] bool woken() const { return woken_; }

 private:
  const Step step_;
  bool woken_ = false;
};

class SteppingExecutor final : public InlineExecutor {
 public:
  std::unique_ptr<Background> background(const char*, Background::Step step) override {
    auto made = std::make_unique<SteppingBackground>(std::move(step));
    backgrounds.push_back(made.get());
    return made;
  }
  std::vector<SteppingBackground*> backgrounds;  // in the order in which they were asked for
};

}  // namespace infra::fakes
