// Runs a coroutine to its end on the calling thread, for tests that need no event threads.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>

#include "core/task.h"

namespace infra {

template <typename T>
T run_task(Task<T> task) {
  boost::asio::io_context loop;
  std::optional<T> value;
  std::exception_ptr thrown;
  boost::asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error, T result) {
    thrown = error;
    value.emplace(std::move(result));
  });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
  return std::move(value.value());
}

inline void run_task(Task<void> task) {
  boost::asio::io_context loop;
  std::exception_ptr thrown;
  boost::asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error) { thrown = error; });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace infra
