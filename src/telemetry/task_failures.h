// What becomes of an exception that nobody was to catch: it costs the task that it has left, and is told and counted.
// A failed allocation is no task's fault, and ends the program.
#pragma once

#include <cstdint>
#include <exception>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/error_codes.h"
#include "core/task.h"

namespace infra {

// Any thread. `task` is a few constant words, under which it is counted; `request` is the job's or the client's, if it
// is one.
void report_task_failure(std::string_view task, const std::exception_ptr& exception, std::string_view request = {});

// By the task's words, since the program's start.
[[nodiscard]] std::map<std::string, std::uint64_t> task_failures();

// An exception as an error for whoever waits for the task: `internal`. What it says stays in the log.
[[nodiscard]] inline Error internal_error() {
  return {errors::internal, "Something broke inside Infra; its log has this request id."};
}

// The task's value; or `internal`, where an exception leaves it, which is reported.
template <typename T>
Task<Result<T>> caught(std::string_view task, Task<Result<T>> work, std::string request = {}) {
  std::exception_ptr exception;
  try {
    co_return co_await std::move(work);
  } catch (...) {
    exception = std::current_exception();
  }
  report_task_failure(task, exception, request);
  co_return fail(internal_error());
}

// True, or false where an exception leaves it.
inline Task<bool> caught(std::string_view task, Task<void> work, std::string request = {}) {
  std::exception_ptr exception;
  try {
    co_await std::move(work);
    co_return true;
  } catch (...) {
    exception = std::current_exception();
  }
  report_task_failure(task, exception, request);
  co_return false;
}

}  // namespace infra
