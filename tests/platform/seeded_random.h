// The Random port on dice.
#pragma once

#include "platform/dice.h"
#include "ports/random.h"

namespace infra::sim {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(Dice dice) : dice_(dice) {}
  void fill(std::span<std::byte> out) override {
    for (std::byte& byte : out) byte = static_cast<std::byte>(dice_.next() >> 56);
  }

 private:
  Dice dice_;
};

}  // namespace infra::sim
