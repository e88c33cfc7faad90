// The time by which the embedded engines delete what has expired, remembered from one program to the next in
// `<data>/retention-clock`. Who deletes that file has the wall clock believed at the next start.
#pragma once

#include <filesystem>
#include <optional>

#include "core/trusted_time.h"
#include "ports/clock.h"

namespace infra {

// One thread at a time; methods block on the disk.
class RetentionClock {
 public:
  RetentionClock(const std::filesystem::path& data, const Clock& clock);

  // Tells of a clock that has jumped.
  [[nodiscard]] WallTime look();

 private:
  void save(SteadyTime now);

  const std::filesystem::path file_;
  const Clock& clock_;
  TrustedTime time_;
  std::optional<SteadyTime> saved_;
};

}  // namespace infra
