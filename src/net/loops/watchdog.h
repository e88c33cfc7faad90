// Ends a program one of whose event threads is stuck: that is a broken invariant, which a supervisor's restart mends
// and waiting does not. Its last words are where every thread stands.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "core/time.h"
#include "net/loops/event_loops.h"

namespace infra::net {

// How long a thread has not got on, in time that it could have used: neither a stopped program nor a machine without a
// processor to spare makes a thread look stuck.
class Standstill {
 public:
  struct Look {
    milliseconds since_last;         // on the watchdog's own clock
    bool on_time = true;             // it was not kept waiting itself
    bool got_on = false;             // since the last look
    bool runnable = false;           // it runs, or waits for a processor
    std::chrono::nanoseconds cpu{};  // that it has used so far
  };

  // For so long by now.
  milliseconds note(const Look& look);

 private:
  std::chrono::nanoseconds stood_{};
  std::chrono::nanoseconds cpu_{};
};

class Watchdog {
 public:
  struct Options {
    milliseconds period{2000};
    milliseconds patience{10'000};
    // `thread` has stood still for so long. Logs every thread's stack and ends the program, unless a test says
    // otherwise.
    std::function<void(pid_t thread, milliseconds stood)> on_stuck{};
  };

  // The loops must outlive it, and not be stopped before it is gone.
  explicit Watchdog(EventLoops& loops) : Watchdog(loops, Options()) {}
  Watchdog(EventLoops& loops, Options options);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace infra::net
