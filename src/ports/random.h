// Randomness, injected so that a seeded run repeats itself.
#pragma once

#include <cstddef>
#include <span>

namespace infra {

class Random {
 public:
  virtual ~Random() = default;
  // Fills `out` with unpredictable bytes. Any thread. Throws only if the system has no entropy (start-up).
  virtual void fill(std::span<std::byte> out) = 0;
};

}  // namespace infra
