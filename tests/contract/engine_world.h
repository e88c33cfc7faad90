// What every contract suite needs of the surroundings of an engine, whichever it is.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>

#include "core/task.h"
#include "core/time.h"

namespace infra {

class EngineWorld {
 public:
  virtual ~EngineWorld() = default;
  virtual void run_void(Task<void> task) = 0;  // to its end; the calling thread waits
  virtual void spawn(Task<void> task) = 0;
  virtual void advance(milliseconds step) = 0;
  // Waits until so many coroutines wait for time to pass.
  virtual void await_sleepers(std::size_t count) = 0;
  [[nodiscard]] virtual WallTime now() const = 0;
  [[nodiscard]] virtual SteadyTime deadline_in(milliseconds wait) const = 0;

  template <typename T>
  T run(Task<T> task) {
    std::optional<T> value;
    run_void(keep(std::move(task), value));
    return std::move(*value);
  }

 private:
  template <typename T>
  static Task<void> keep(Task<T> task, std::optional<T>& value) {
    value.emplace(co_await std::move(task));
  }
};

}  // namespace infra
