// What a simulated disk is to refuse, and when: the nth call of a kind, or some by chance.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "platform/dice.h"

namespace infra::sim {

enum class DiskCall : std::uint8_t {
  open,
  read,
  write,
  resize,
  sync,
  size,
  remove,
  exists,
  map,   // of the memory that connections share, which is a file as well
  lock,  // and the end of a lock; never refused
};
constexpr std::size_t kDiskCalls = 10;

enum class DiskFault : std::uint8_t {
  broken,  // EIO. A read fills a part; a write may have written a part; a sync loses what it was to bring to the disk
  full,    // ENOSPC: of write, sync and map; a write has written what there was room for
};

class DiskFaults {
 public:
  explicit DiskFaults(Dice dice) : dice_(dice) {}

  // From now on; 1 is the next one.
  void plan(DiskCall call, std::uint64_t nth, DiskFault fault) {
    planned_.push_back({.call = call, .at = made(call) + nth, .fault = fault});
  }
  // Of each such call, until clear().
  void set_chance(DiskCall call, DiskFault fault, double probability) {
    std::erase_if(chances_, [&](const Chance& one) { return one.call == call && one.fault == fault; });
    if (probability > 0) chances_.push_back({.call = call, .fault = fault, .probability = probability});
  }
  void clear() {
    planned_.clear();
    chances_.clear();
  }

  // Counts a call; what becomes of it.
  std::optional<DiskFault> next(DiskCall call) {
    const std::uint64_t number = ++made_.at(static_cast<std::size_t>(call));
    const auto due =
        std::ranges::find_if(planned_, [&](const Planned& one) { return one.call == call && one.at == number; });
    if (due != planned_.end()) {
      const DiskFault fault = due->fault;
      planned_.erase(due);
      ++refused_;
      return fault;
    }
    for (const Chance& one : chances_) {
      if (one.call != call || !dice_.chance(one.probability)) continue;
      ++refused_;
      return one.fault;
    }
    return std::nullopt;
  }
  [[nodiscard]] std::uint64_t made(DiskCall call) const { return made_.at(static_cast<std::size_t>(call)); }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  struct Planned {
    DiskCall call = DiskCall::open;
    std::uint64_t at = 0;
    DiskFault fault = DiskFault::broken;
  };
  struct Chance {
    DiskCall call = DiskCall::open;
    DiskFault fault = DiskFault::broken;
    double probability = 0;
  };

  Dice dice_;
  std::array<std::uint64_t, kDiskCalls> made_{};
  std::uint64_t refused_ = 0;
  std::vector<Planned> planned_;
  std::vector<Chance> chances_;
};

}  // namespace infra::sim
