// The Random port on the kernel's generator.
#pragma once

#include "ports/random.h"

namespace infra {

class SystemRandom : public Random {
 public:
  void fill(std::span<std::byte> out) override;
};

}  // namespace infra
