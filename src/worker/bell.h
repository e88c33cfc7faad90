// A condition variable for coroutines: take a ticket, look at the condition, then wait for the ticket.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "ports/clock.h"

namespace infra::worker {

// Any thread.
class Bell {
 public:
  explicit Bell(Clock& clock) : clock_(clock) {}

  [[nodiscard]] std::shared_ptr<Signal> ticket() {
    auto signal = clock_.make_signal();
    const std::lock_guard lock(mutex_);
    // A waiter that gave up leaves its ticket; drop those before they pile up.
    std::erase_if(tickets_, [](const auto& ticket) { return ticket.expired(); });
    tickets_.push_back(signal);
    return signal;
  }

  void ring() {
    std::vector<std::weak_ptr<Signal>> tickets;
    {
      const std::lock_guard lock(mutex_);
      tickets = std::exchange(tickets_, {});
    }
    for (const auto& ticket : tickets) {
      if (const auto signal = ticket.lock()) signal->notify();
    }
  }

 private:
  Clock& clock_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<Signal>> tickets_;
};

}  // namespace infra::worker
