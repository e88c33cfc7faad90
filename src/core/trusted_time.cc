#include "core/trusted_time.h"

#include <algorithm>
#include <utility>

namespace infra {

// A program that was away for long looks the same as a clock that has jumped, and is treated so.
TrustedTime::TrustedTime(std::optional<TrustedTimeState> state, WallTime wall, SteadyTime steady)
    : trusted_(state ? state->trusted : wall),
      looked_(steady),
      ahead_(wall - trusted_),
      confirming_(state ? std::clamp<milliseconds>(state->confirming, milliseconds{0}, kConfirmation)
                        : milliseconds{0}),
      now_(std::min(wall, trusted_)) {}

TrustedTime::Seen TrustedTime::look(WallTime wall, SteadyTime steady) {
  const auto passed = std::chrono::floor<milliseconds>(steady - looked_);
  looked_ += passed;  // the rest counts at the next look
  trusted_ += passed;
  const milliseconds before = std::exchange(ahead_, wall - trusted_);
  const bool was_jumping = confirming_ > milliseconds{0};
  if (std::chrono::abs(ahead_) <= kTolerance) {
    trusted_ = wall;
    ahead_ = confirming_ = milliseconds{0};
  } else if (was_jumping && std::chrono::abs(ahead_ - before) <= kTolerance) {
    confirming_ += passed;
  } else {
    confirming_ = milliseconds{1};
  }
  if (confirming_ >= kConfirmation) {
    trusted_ = wall;
    ahead_ = confirming_ = milliseconds{0};
  }
  now_ = std::min(wall, trusted_);
  const bool is_jumping = confirming_ > milliseconds{0};
  if (is_jumping) return was_jumping ? Seen::jump_goes_on : Seen::jump_begins;
  return was_jumping ? Seen::jump_ends : Seen::usual;
}

}  // namespace infra
