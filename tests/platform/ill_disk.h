// A simulated disk that refuses calls for a while: which, the dice say.
#pragma once

#include "platform/dice.h"
#include "platform/disk/simulated_disk.h"

namespace infra::sim {

// From now on: errors of some kinds of calls by chance, the nth of others, or no room.
inline void make_ill(SimulatedDisk& disk, Dice dice) {
  DiskFaults& faults = disk.faults();
  for (const DiskCall call : {DiskCall::open, DiskCall::read, DiskCall::write, DiskCall::resize, DiskCall::sync,
                              DiskCall::size, DiskCall::remove, DiskCall::map}) {
    if (dice.chance(0.3)) faults.set_chance(call, DiskFault::broken, dice.chance(0.7) ? 0.02 : 0.3);
    if (dice.chance(0.2)) faults.plan(call, 1 + dice.below(20), DiskFault::broken);
  }
  for (const DiskCall call : {DiskCall::write, DiskCall::sync, DiskCall::map}) {
    if (dice.chance(0.3)) faults.set_chance(call, DiskFault::full, dice.chance(0.7) ? 0.02 : 0.3);
  }
  if (dice.chance(0.3)) disk.set_capacity(disk.used() + dice.below(40'000));
}

inline void make_well(SimulatedDisk& disk) {
  disk.faults().clear();
  disk.set_capacity(std::nullopt);
}

}  // namespace infra::sim
