// Callers that want the same thing at the same time share one piece of work: a bundle that a hundred jobs wait for is
// downloaded once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/error_codes.h"
#include "core/mutex.h"
#include "core/task.h"
#include "ports/clock.h"

namespace infra {

// Any event thread.
template <typename T>
class SingleFlight {
 public:
  explicit SingleFlight(Clock& clock) : clock_(clock) {}

  // The first caller for `key` does the work, those that come before it is done get the same result.
  Task<Result<T>> run(std::string key, std::function<Task<Result<T>>()> work) {
    const auto [flight, waiting] = join(key);
    if (waiting) {
      co_await waiting->wait_until(SteadyTime::max());
      co_return *flight->result;
    }
    Landing landing(*this, std::move(key));
    auto result = co_await work();
    landing.result = result;
    co_return result;
  }

 private:
  struct Flight {
    std::optional<Result<T>> result;  // written before the signals, read after them
    std::vector<std::shared_ptr<Signal>> waiting;
  };
  using Flights = std::map<std::string, std::shared_ptr<Flight>>;

  // Ends the flight however the work ends, also when its coroutine is destroyed as the threads stop.
  struct Landing {
    Landing(SingleFlight& o, std::string k) : owner(o), key(std::move(k)) {}
    ~Landing() { owner.land(key, std::move(result)); }
    Landing(const Landing&) = delete;
    Landing& operator=(const Landing&) = delete;

    SingleFlight& owner;
    const std::string key;
    Result<T> result = fail(errors::shutting_down, "The program is stopping.");
  };

  // The signal is null for the first.
  std::pair<std::shared_ptr<Flight>, std::shared_ptr<Signal>> join(const std::string& key) {
    const MutexLock lock(mutex_);
    auto& flight = flights_[key];
    if (!flight) {
      flight = std::make_shared<Flight>();
      return {flight, nullptr};
    }
    flight->waiting.push_back(clock_.make_signal());
    return {flight, flight->waiting.back()};
  }

  void land(const std::string& key, Result<T> result) {
    std::shared_ptr<Flight> flight;
    {
      const MutexLock lock(mutex_);
      auto node = flights_.extract(key);
      flight = std::move(node.mapped());
    }
    flight->result = std::move(result);
    for (const auto& signal : flight->waiting) signal->notify();
  }

  Clock& clock_;
  Mutex mutex_;
  Flights flights_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra
