// All chance of a simulated run, out of one number: the same seed throws the same dice.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

namespace infra::sim {

// SplitMix64 (https://prng.di.unimi.it/splitmix64.c): small, and the same everywhere, which <random>'s distributions
// are not.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t mixed = (state_ += 0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }
  // 0 to `count` - 1; of nothing, 0.
  std::uint64_t below(std::uint64_t count) { return count == 0 ? 0 : next() % count; }
  // Both ends are possible.
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most - least) + 1));
  }
  bool chance(double probability) {
    return static_cast<double>(next() >> 11) < probability * static_cast<double>(std::uint64_t{1} << 53);
  }
  // Dice of their own for one purpose: what one throws more doesn't change what another one throws.
  [[nodiscard]] Dice apart(std::string_view purpose, std::uint64_t number = 0) const {
    std::uint64_t hash = state_ ^ (number * 0xff51afd7ed558ccd);
    for (const char letter : purpose) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
    return Dice(Dice(hash).next());
  }

 private:
  std::uint64_t state_;
};

}  // namespace infra::sim
