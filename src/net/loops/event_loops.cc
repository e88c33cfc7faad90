// Threads, and above all their end: coroutines that still wait when the loops stop are destroyed on the thread they
// lived on, one thread after the other, while every io_context still exists.
#include "net/loops/event_loops.h"

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <future>
#include <latch>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "telemetry/task_failures.h"
#include "telemetry/thread_stacks.h"

namespace infra::net {

namespace asio = boost::asio;

// Posted, as co_spawn would run the first piece inside the caller's call.
void spawn_on(asio::io_context& loop, TaskOwner owner, Task<void> task) {
  asio::post(loop, [&loop, owner = std::move(owner), task = std::move(task)]() mutable {
    asio::co_spawn(loop, std::move(task), [owner = std::move(owner)](const std::exception_ptr& exception) {
      if (!exception) return;
      report_task_failure(owner.words, exception);
      if (owner.on_failure) owner.on_failure();
    });
  });
}

namespace {

// An io_context whose handlers can be destroyed before itself: io objects may refer to another thread's context.
class Loop : public asio::io_context {
 public:
  Loop() : asio::io_context(1) {}  // run by one thread; posting stays safe from any
  using asio::execution_context::shutdown;
};

void check_count(std::size_t count, const char* name) {
  if (count == 0) throw std::invalid_argument(fmt::format("EventLoops: {} must not be 0", name));
}

}  // namespace

struct EventLoops::State {
  State(std::size_t thread_count, std::size_t blocking_threads)
      : loops(thread_count),
        pool(blocking_threads),
        ids(thread_count),
        begun(static_cast<std::ptrdiff_t>(thread_count)),
        loops_ended(static_cast<std::ptrdiff_t>(thread_count)) {
    for (Loop& loop : loops) guards.push_back(asio::make_work_guard(loop));
    for (std::size_t i = 0; i < thread_count; ++i) threads.emplace_back([this, i] { run(i); });
  }

  void run(std::size_t index);
  void stop();

  // The thread's own loop, if it is one of these.
  [[nodiscard]] Loop* current() const;

  std::vector<Loop> loops;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards;
  asio::thread_pool pool;
  std::vector<std::thread> threads;
  std::vector<pid_t> ids;  // of the threads, once they have begun
  mutable std::latch begun;
  std::atomic<std::size_t> turn = 0;

  Mutex stopping_once;
  bool stopped INFRA_GUARDED_BY(stopping_once) = false;
  std::atomic<bool> stopping = false;
  std::latch loops_ended;
  std::latch may_tear_down{1};
  Mutex tearing_down;  // held while a loop is shut down
};

namespace {

struct CurrentLoop {
  const void* owner = nullptr;  // EventLoops::State
  Loop* loop = nullptr;
};
thread_local CurrentLoop current_loop;

}  // namespace

Loop* EventLoops::State::current() const {
  return current_loop.owner == this ? current_loop.loop : nullptr;
}

void EventLoops::State::run(std::size_t index) {
  Loop& loop = loops[index];
  current_loop = CurrentLoop{.owner = this, .loop = &loop};
  pthread_setname_np(pthread_self(), fmt::format("event-{}", index).c_str());
  ids[index] = ::gettid();
  begun.count_down();
  for (bool ended = false; !ended;) {
    try {
      loop.run();
      ended = true;
    } catch (...) {  // out of a handler that belongs to no task; the others are still there
      report_task_failure("event handler", std::current_exception());
    }
  }
  loops_ended.count_down();
  may_tear_down.wait();
  // One at a time: destructors of coroutines may touch what another thread's coroutines share.
  const MutexLock lock(tearing_down);
  loop.shutdown();
}

void EventLoops::State::stop() {
  const MutexLock lock(stopping_once);  // a second caller waits for the end, too
  if (std::exchange(stopped, true)) return;
  stopping = true;
  for (Loop& loop : loops) loop.stop();
  loops_ended.wait();
  pool.join();  // work that has begun ends; what has not is skipped, see offload()
  may_tear_down.count_down();
  for (std::thread& thread : threads) thread.join();
}

EventLoops::EventLoops(std::size_t threads, std::size_t blocking_threads) {
  check_count(threads, "threads");
  check_count(blocking_threads, "blocking_threads");
  const QuietThreads quiet;
  state_ = std::make_unique<State>(threads, blocking_threads);
}

EventLoops::~EventLoops() {
  state_->stop();
}

void EventLoops::stop() {
  state_->stop();
}

std::size_t EventLoops::size() const {
  return state_->loops.size();
}

asio::io_context& EventLoops::loop(std::size_t index) {
  return state_->loops.at(index);
}

asio::io_context& EventLoops::next() {
  return state_->loops[state_->turn.fetch_add(1, std::memory_order_relaxed) % state_->loops.size()];
}

std::vector<EventLoops::Thread> EventLoops::threads() const {
  state_->begun.wait();
  std::vector<Thread> threads;
  for (std::size_t i = 0; i < size(); ++i) {
    Thread thread{.id = state_->ids[i]};
    if (pthread_getcpuclockid(state_->threads[i].native_handle(), &thread.cpu_time) == 0) threads.push_back(thread);
  }
  return threads;
}

void EventLoops::spawn(TaskOwner owner, Task<void> task) {
  Loop* current = state_->current();
  spawn_on(current != nullptr ? *current : next(), std::move(owner), std::move(task));
}

void EventLoops::spawn_on_each(const TaskOwner& owner, const std::function<Task<void>()>& make) {
  for (Loop& loop : state_->loops) spawn_on(loop, owner, make());
}

Task<void> EventLoops::yield() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

Task<bool> EventLoops::readable(int descriptor, std::chrono::milliseconds patience) {
  // Shared with the timer's handler, which may be on its way already when this coroutine goes.
  struct Watch {
    explicit Watch(const asio::any_io_executor& executor) : socket(executor), timer(executor) {}
    asio::posix::stream_descriptor socket;
    asio::steady_timer timer;
  };
  // Not closed, being the caller's; and not with the watch, because the caller may watch it again at once.
  struct Ended {
    explicit Ended(std::shared_ptr<Watch> w) : watch(std::move(w)) {}
    ~Ended() {
      watch->timer.cancel();
      (void)watch->socket.release();
    }
    Ended(const Ended&) = delete;
    Ended& operator=(const Ended&) = delete;
    const std::shared_ptr<Watch> watch;
  };
  const auto watch = std::make_shared<Watch>(co_await asio::this_coro::executor);
  boost::system::error_code refused;  // the kernel watches no more descriptors than it has memory for
  watch->socket.assign(descriptor, refused);
  if (refused) co_return false;
  const Ended ended{watch};
  watch->timer.expires_after(patience);
  watch->timer.async_wait([watch](const boost::system::error_code& error) {
    boost::system::error_code ignored;
    if (!error && watch->socket.is_open()) watch->socket.cancel(ignored);
  });
  const auto [error] =
      co_await watch->socket.async_wait(asio::posix::descriptor_base::wait_read, asio::as_tuple(asio::use_awaitable));
  co_return !error;
}

Task<void> EventLoops::offload(std::function<void()> work) {
  auto start = [state = state_.get()](auto handler, std::function<void()> job) {
    asio::post(state->pool, [state, handler = std::move(handler), job = std::move(job)]() mutable {
      std::exception_ptr exception;
      if (!state->stopping) {
        try {
          job();
        } catch (...) {
          exception = std::current_exception();
        }
      }
      job = nullptr;  // what it holds goes before the caller resumes
      auto executor = asio::get_associated_executor(handler);
      asio::post(executor, [handler = std::move(handler), exception]() mutable { std::move(handler)(exception); });
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(start, asio::use_awaitable,
                                                                                         std::move(work));
}

void EventLoops::run_blocking(Task<void> task) {
  if (state_->current() != nullptr) throw std::logic_error("EventLoops::run_blocking called on an event thread");
  // If the loops stop first the promise is destroyed with the coroutine, and get() throws.
  std::promise<void> done;
  std::future<void> result = done.get_future();
  asio::co_spawn(next(), std::move(task), [done = std::move(done)](const std::exception_ptr& exception) mutable {
    if (exception) {
      done.set_exception(exception);
    } else {
      done.set_value();
    }
  });
  result.get();
}

}  // namespace infra::net
