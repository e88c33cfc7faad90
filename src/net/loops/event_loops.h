// The event threads: one io_context a thread, and a small pool for what blocks. The only place that makes threads for
// I/O.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <ctime>
#include <functional>
#include <memory>
#include <vector>

#include "core/task.h"
#include "core/task_owner.h"

namespace boost::asio {
class io_context;
}

namespace infra::net {

// Starts a coroutine on this event thread, never inside the caller's call. The only way to do so: what leaves the task
// is reported, and its owner told.
void spawn_on(boost::asio::io_context& loop, TaskOwner owner, Task<void> task);

class EventLoops {
 public:
  // Throws std::invalid_argument if `threads` or `blocking_threads` is 0. Threads start at once, with all signals
  // blocked.
  EventLoops(std::size_t threads, std::size_t blocking_threads);
  // Stops and joins. Coroutines that still wait are destroyed on their own thread.
  ~EventLoops();
  EventLoops(const EventLoops&) = delete;
  EventLoops& operator=(const EventLoops&) = delete;

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] boost::asio::io_context& loop(std::size_t index);
  // Round robin.
  [[nodiscard]] boost::asio::io_context& next();

  // Starts a coroutine on the current event thread if there is one, else on the next.
  void spawn(TaskOwner owner, Task<void> task);
  // Runs `work` on the blocking pool, resumes the caller on its own thread, rethrows there what `work` threw.
  Task<void> offload(std::function<void()> work);
  // The same of a task a thread, made by `make` on the calling one.
  void spawn_on_each(const TaskOwner& owner, const std::function<Task<void>()>& make);
  // Lets what can run on the calling event thread by now run first.
  Task<void> yield();
  // True once `descriptor`, which is non-blocking or only ever read so, has something to read or its other end is
  // closed; false after `patience`. One wait a descriptor at a time.
  Task<bool> readable(int descriptor, std::chrono::milliseconds patience);
  // Runs the task on an event thread and blocks the calling (non-event) thread until it is done.
  void run_blocking(Task<void> task);
  void stop();  // idempotent; any thread but an event thread

  struct Thread {
    pid_t id = 0;
    clockid_t cpu_time = 0;
  };
  [[nodiscard]] std::vector<Thread> threads() const;  // in the loops' order

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace infra::net
