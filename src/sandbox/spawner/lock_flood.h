// How many locks on files the machine has. The kernel counts them for no group's memory and bounds them for nobody: who
// takes one on every other byte of a file has millions in a few seconds.
#pragma once

#include <cstdint>

#include "core/time.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

class LockFlood {
 public:
  // More than these of one sandbox's are too many, once the machine has more than those beyond what it had.
  static constexpr std::int64_t kMostOfOne = 10'000;
  static constexpr std::int64_t kMostMore = 50'000;  // 10 MiB of the kernel's memory
  static constexpr std::chrono::milliseconds kPause{1000};

  LockFlood();
  // False where the kernel does not tell.
  [[nodiscard]] bool can_tell() const { return count_.valid(); }
  // Looks, unless it did less than a pause ago.
  [[nodiscard]] bool is_on(SteadyTime now);
  // The locks of the last look are nobody's whom it concerns: the next look comes later.
  void put_off(SteadyTime now) { looked_ = now + kPause; }

 private:
  [[nodiscard]] std::int64_t count() const;

  UniqueFd count_;
  std::int64_t usual_ = 0;
  SteadyTime looked_{};
};

}  // namespace infra::sandbox
