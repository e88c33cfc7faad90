// The bytes of requests' and answers' bodies that a server holds in memory, over all connections. Requests' are taken
// before they are read; whoever finds no room waits in line. Answers' are there already, and count past the bound.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "core/mutex.h"
#include "core/task.h"
#include "core/time.h"
#include "net/loops/one_shot_event.h"

namespace infra::net {

// Any thread.
class ByteBudget {
 public:
  // `on_change` hears of the pressure, 0 to 1 and above, when it has moved by a sixteenth; and `on_short` when somebody
  // is about to wait.
  explicit ByteBudget(std::uint64_t most, std::function<void(double)> on_change = {},
                      std::function<void()> on_short = {});

  [[nodiscard]] bool try_take(std::uint64_t bytes);
  // In the order of asking. False if `deadline` comes first; then nothing is taken.
  Task<bool> take(std::uint64_t bytes, SteadyTime deadline);
  void take_anyway(std::uint64_t bytes);
  void give_back(std::uint64_t bytes);

  // Somebody waits, or answers have gone past the bound.
  [[nodiscard]] bool is_short() const { return waiting_ != 0 || used_ > most_; }
  [[nodiscard]] std::uint64_t used() const { return used_; }
  [[nodiscard]] std::uint64_t most() const { return most_; }

 private:
  struct Waiter {
    std::uint64_t bytes = 0;
    bool has = false;
    std::shared_ptr<OneShotEvent> granted = OneShotEvent::create();
  };

  [[nodiscard]] bool fits(std::uint64_t bytes);
  void serve_line();
  void tell(std::uint64_t used);

  const std::uint64_t most_;
  const std::function<void(double)> on_change_;
  const std::function<void()> on_short_;
  std::atomic<std::uint64_t> used_ = 0;
  std::atomic<std::uint64_t> told_ = 0;  // in sixteenths
  std::atomic<std::size_t> waiting_ = 0;
  Mutex mutex_;
  std::deque<std::shared_ptr<Waiter>> line_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra::net
