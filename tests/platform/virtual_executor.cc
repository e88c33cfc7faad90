#include "platform/virtual_executor.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <stdexcept>
#include <utility>

#include "platform/virtual_background.h"
#include "telemetry/task_failures.h"

namespace infra::sim {

namespace asio = boost::asio;

namespace {

constexpr WorldTime kForEver = std::chrono::hours(24 * 365);

}  // namespace

void VirtualExecutor::spawn(TaskOwner owner, Task<void> task) {
  const std::string_view words = owner.words;
  scheduler_.spawn(process_, words, std::move(task), [owner = std::move(owner)](const std::exception_ptr& thrown) {
    if (!thrown) return;
    report_task_failure(owner.words, thrown);
    if (owner.on_failure) owner.on_failure();
  });
}

void VirtualExecutor::spawn_on_each(const TaskOwner& owner, const std::function<Task<void>()>& make) {
  spawn(owner, make());
}

Task<void> VirtualExecutor::yield() {
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [this](auto handler) {
        scheduler_.post_behind(process_, [handler = std::move(handler)]() mutable { std::move(handler)(); });
      },
      asio::use_awaitable);
}

Task<bool> VirtualExecutor::readable(int descriptor, milliseconds patience) {
  co_return co_await scheduler_.suspend({.what = "a descriptor",
                                         .words = {},
                                         .deadline = clock_.when(clock_.steady_now() + patience),
                                         .descriptors = {{.fd = descriptor, .events = POLLIN, .revents = 0}}});
}

Task<void> VirtualExecutor::offload(std::function<void()> work) {
  auto start = [this](auto handler, std::function<void()> job) {
    scheduler_.start_fiber(
        process_, "a call that blocks", Scheduler::Kind::offloaded,
        [handler = std::move(handler), job = std::move(job)]() mutable {
          std::exception_ptr thrown;
          try {
            job();
          } catch (...) {
            thrown = std::current_exception();
          }
          job = nullptr;  // what it holds goes before the caller resumes
          auto executor = asio::get_associated_executor(handler);
          asio::post(executor, [handler = std::move(handler), thrown]() mutable { std::move(handler)(thrown); });
        });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(start, asio::use_awaitable,
                                                                                         std::move(work));
}

std::unique_ptr<Background> VirtualExecutor::background(const char* name, Background::Step step) {
  return std::make_unique<VirtualBackground>(scheduler_, process_, clock_, name, std::move(step));
}

void VirtualExecutor::run_blocking(Task<void> task) {
  struct Ended {
    bool ended = false;
    std::exception_ptr thrown;
    Scheduler::WaitId waiter = 0;
  };
  const auto state = std::make_shared<Ended>();
  scheduler_.spawn(process_, "blocking", std::move(task), [this, state](const std::exception_ptr& thrown) {
    state->ended = true;
    state->thrown = thrown;
    scheduler_.wake(state->waiter);
  });
  if (Fiber::current() == nullptr) {
    if (scheduler_.run_until([&] { return state->ended; }, kForEver) != Scheduler::Ran::done)
      throw std::runtime_error("a task never ends:\n" + scheduler_.waiting());
  }
  while (!state->ended && process_.state == Process::State::running) {
    scheduler_.block(process_, {.what = "a task", .words = {}}, [&](Scheduler::WaitId id) { state->waiter = id; });
  }
  if (!state->ended) throw std::runtime_error("the process has ended before its task");
  if (state->thrown) std::rethrow_exception(state->thrown);
}

}  // namespace infra::sim
