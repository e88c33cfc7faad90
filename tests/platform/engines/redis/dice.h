// Choices that a seed makes: whether, how much, how long.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "ports/random.h"

namespace infra::testing {

class Dice {
 public:
  explicit Dice(Random& random) : random_(random) {}

  // Of what never happens nothing is drawn.
  bool chance(double probability) { return probability > 0 && fraction() < probability; }
  // From 0 to `most`.
  std::uint64_t up_to(std::uint64_t most) {
    if (most == 0) return 0;
    return most == UINT64_MAX ? bits() : bits() % (most + 1);
  }
  template <typename Duration>
  Duration between(Duration least, Duration most) {
    if (most <= least) return least;
    return least +
           Duration(static_cast<typename Duration::rep>(up_to(static_cast<std::uint64_t>((most - least).count()))));
  }

 private:
  double fraction() { return static_cast<double>(bits() >> 11U) * 0x1.0p-53; }
  std::uint64_t bits() {
    std::array<std::byte, sizeof(std::uint64_t)> bytes{};
    random_.fill(bytes);
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

  Random& random_;
};

}  // namespace infra::testing
