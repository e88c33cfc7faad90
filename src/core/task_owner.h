// Who answers for a task that nobody awaits.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

namespace infra {

// An exception that leaves the task is reported under `words`, which are few and constant (a metric counts by them);
// then `on_failure` makes up for what the task leaves undone. It may be empty, and throws nothing.
struct TaskOwner {
  // NOLINTNEXTLINE(google-explicit-constructor): most tasks leave nothing undone, and are named where they are started
  TaskOwner(const char* w) : words(w) {}
  TaskOwner(std::string_view w, std::function<void()> then) : words(w), on_failure(std::move(then)) {}

  std::string_view words;
  std::function<void()> on_failure{};
};

}  // namespace infra
