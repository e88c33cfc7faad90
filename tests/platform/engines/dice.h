// What a seed decides in the simulated engines: whether a fault happens, how long something takes, which of several is
// first. One source for all of them, so that a seed replays to the letter.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "ports/random.h"

namespace infra::simulation {

// One OS thread, as all of the simulation.
class Dice {
 public:
  explicit Dice(Random& random) : random_(random) {}

  // What can't happen, or must, draws nothing: a fault that is off leaves the others' draws as they are.
  [[nodiscard]] bool chance(double probability) {
    if (probability <= 0) return false;
    if (probability >= 1) return true;
    return static_cast<double>(draw() >> 11U) * 0x1p-53 < probability;
  }
  // 0 … count - 1; 0 if `count` is 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t count) { return count <= 1 ? 0 : draw() % count; }
  // Both included.
  template <typename Duration>
  [[nodiscard]] Duration between(Duration least, Duration most) {
    if (most <= least) return least;
    const auto steps = static_cast<std::uint64_t>((most - least).count()) + 1;
    return least + Duration(static_cast<typename Duration::rep>(below(steps)));
  }
  [[nodiscard]] std::uint64_t draw() {
    std::array<std::byte, 8> bytes{};
    random_.fill(bytes);
    return std::bit_cast<std::uint64_t>(bytes);
  }

 private:
  Random& random_;
};

}  // namespace infra::simulation
