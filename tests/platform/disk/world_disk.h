// How a program of a simulated world meets its machine's disk: other steps come between its calls, and waiting is time
// of the world's.
#pragma once

#include <chrono>

#include "platform/disk/simulated_disk.h"
#include "platform/scheduler.h"

namespace infra::sim {

struct DiskPace {
  double lets_others = 0.1;                               // of the calls of fibers: other steps come before them
  WorldTime takes = std::chrono::microseconds(2);         // a call
  WorldTime sync_takes = std::chrono::microseconds(500);  // at the most
};

// Both must outlive the program.
inline DiskManners in_world(Scheduler& scheduler, Process& process, DiskPace pace = {}) {
  return {.before =
              [&scheduler, &process, pace](DiskCall call) {
                const bool syncs = call == DiskCall::sync;
                const WorldTime takes =
                    syncs ? WorldTime(scheduler.dice().between(0, pace.sync_takes.count())) : pace.takes;
                if (Fiber::current() == nullptr || !scheduler.dice().chance(syncs ? 1 : pace.lets_others)) {
                  scheduler.idle_until(scheduler.now() + takes);
                  return;
                }
                scheduler.block(process, {.what = "the disk", .words = {}, .deadline = scheduler.now() + takes});
              },
          .pause =
              [&scheduler, &process](std::chrono::microseconds time) {
                if (Fiber::current() == nullptr) return scheduler.idle_until(scheduler.now() + time);
                scheduler.block(process,
                                {.what = "a lock of the database", .words = {}, .deadline = scheduler.now() + time});
              }};
}

}  // namespace infra::sim
