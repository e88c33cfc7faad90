// The one thread of a simulated world: what is ready runs in an order that the dice decide, and when nothing is, time
// passes to the next moment that somebody waits for. Every coroutine, blocking call and background step of every
// simulated program is here, so that a program can be ended between any two of its steps.
#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/task.h"
#include "platform/dice.h"
#include "platform/fiber.h"

namespace infra::sim {

// Since the world's beginning, the same on all machines.
using WorldTime = std::chrono::nanoseconds;

// What is ended at one stroke: a program's coroutines, blocking calls, and whatever it waits for. It stays in the
// scheduler for as long as that lives, because signals may refer to it.
struct Process {
  enum class State : std::uint8_t {
    running,
    stopping,  // its blocking calls go on to their end, and nothing else does
    stopped,   // it has no coroutines any more; threads of its own go on
    ended,     // nothing of it runs
  };
  std::uint64_t number = 0;
  std::string name;
  State state = State::running;
  WorldTime frozen_until{0};
  std::size_t blocking_threads = 16;              // offloaded calls at once
  std::size_t offloaded = 0;                      // of those, begun and not ended
  std::size_t calls_after_end = 0;                // that would have blocked
  std::multiset<std::string, std::less<>> tasks;  // spawned and not over, by their owners' words
};

class Scheduler {
 public:
  using Work = std::move_only_function<void()>;
  using Wake = std::move_only_function<void(bool)>;
  using WaitId = std::uint64_t;  // 0 is none's

  explicit Scheduler(std::uint64_t seed);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  Process& start_process(std::string name);

  [[nodiscard]] Dice& dice() { return dice_; }
  [[nodiscard]] WorldTime now() const { return now_; }
  // Looking at the time costs nothing, but to who does nothing else in a step.
  WorldTime look() {
    constexpr int kMany = 1000;
    if (++looks_ > kMany) now_ += std::chrono::microseconds(1);
    return now_;
  }
  // How often the next to run is not the one that has been ready longest; 1: any of them at any time.
  void set_disorder(double share) { disorder_ = share; }

  // --- what is ready ---
  void post(Process& process, Work work);
  // Once all that is ready of this process by now has run.
  void post_behind(Process& process, Work work);

  // --- what waits ---
  struct Until {
    std::string_view what;   // "signal": few and constant
    std::string_view words;  // the task's
    std::optional<WorldTime> deadline{};
    std::vector<pollfd> descriptors{};
  };
  // `wake` is called as a step of its own: true once woken, or once a descriptor is ready, false past the deadline; it
  // is destroyed uncalled if the process ends.
  WaitId wait(Process& process, Until until, Wake wake);
  // Nothing if that wait is over.
  void wake(WaitId id);
  // Suspends the calling coroutine, which is one of `spawn`. `begun` (may be empty) is told the wait.
  Task<bool> suspend(Until until, std::function<void(WaitId)> begun = {});

  // --- what blocks ---
  enum class Kind : std::uint8_t {
    coroutine,  // not a fiber
    offloaded,  // a call on the pool
    thread,     // of its own: goes on while the process stops
    main,       // the same; it ends last, and in a crash what it waits for throws
  };
  void start_fiber(Process& process, const char* name, Kind kind, Work body);
  // Suspends the calling fiber; false past the deadline, and at once where its process has ended. Throws
  // std::logic_error where no fiber calls: an event thread would stand still.
  bool block(Process& process, Until until, const std::function<void(WaitId)>& begun = {});

  // Starts a coroutine, never inside the caller's call. `over` is told of the exception that it ended with, if any.
  void spawn(Process& process, std::string_view words, Task<void> task,
             std::function<void(const std::exception_ptr&)> over);

  // --- the world's course ---
  enum class Ran : std::uint8_t {
    done,
    late,   // the time is over
    stuck,  // nothing is ready, and nothing ever will be
    busy,   // it ran for so long that it may never end
  };
  // On the thread's own stack.
  Ran run_until(const std::function<bool()>& done, WorldTime within);
  // False if there is nothing to be done, ever.
  bool step();
  // Where there is nothing to be done time can pass all the same.
  void idle_until(WorldTime time) { now_ = std::max(now_, time); }

  // Ends what the process does, as a crash does: calls that block find that nothing answers any more and return,
  // coroutines are destroyed where they wait.
  void kill(Process& process);
  // Its main fiber says so at its own end: nothing else of it may be left.
  void end(Process& process);
  // As EventLoops::stop(): calls that block go on to their end, what has not begun never does, then the coroutines go.
  // From a fiber of that process, or from the thread's own stack.
  void stop(Process& process);

  // Of that process: what is ready, waits or blocks.
  [[nodiscard]] std::size_t things_of(const Process& process) const;
  // What waits, a line each: for a world that is stuck.
  [[nodiscard]] std::string waiting() const;
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  // Of all choices that were made so far: two runs with the same print went the same way.
  [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  struct Ready {
    std::uint64_t number = 0;
    Process* process = nullptr;
    Work run;
    Kind kind = Kind::coroutine;
    bool begins = false;  // a fiber
    bool behind = false;
  };
  struct Wait {
    Process* process = nullptr;
    Kind kind = Kind::coroutine;
    Until until;
    Wake wake;
  };
  struct Blocking {
    Process* process = nullptr;
    const char* name = "";
    Kind kind = Kind::thread;
    std::unique_ptr<Fiber> fiber;
  };
  using Timers = std::map<std::pair<WorldTime, WaitId>, WaitId>;

  WaitId add_wait(Process& process, Kind kind, Until until, Wake wake);
  void add_ready(Ready ready);
  [[nodiscard]] bool can_run(const Ready& ready) const;
  [[nodiscard]] std::optional<std::size_t> choose();
  void run(std::size_t index);
  void end_wait(WaitId id, bool woken);
  void forget_wait(std::map<WaitId, Wait>::iterator wait);
  void fire_timers();
  bool look_at_descriptors();
  bool pass_time();
  void resume(std::uint64_t fiber);
  [[nodiscard]] bool has_begun_calls(const Process& process) const;
  void end_fibers(Process& process, bool of_main);
  void destroy_coroutines(Process& process);
  void bury();

  Dice dice_;
  WorldTime now_{0};
  double disorder_ = 1;
  std::uint64_t next_number_ = 1;
  std::uint64_t steps_ = 0;
  std::uint64_t fingerprint_ = 0xcbf29ce484222325;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<Ready> ready_;
  std::map<WaitId, Wait> waits_;
  Timers timers_;
  std::set<WaitId> watched_;  // waits with descriptors
  std::map<std::uint64_t, Blocking> fibers_;
  std::uint64_t running_fiber_ = 0;
  bool stepping_ = false;
  int looks_ = 0;                // at the time, in this step
  std::vector<Work> graveyard_;  // of processes that have ended: destroyed uncalled
};

}  // namespace infra::sim
