// The wall time that retention goes by. A wall clock may jump (a wrong battery, a wrong time server); what is deleted
// for its age can't be had back. So a jump counts only after it has lasted for a day.
#pragma once

#include <chrono>
#include <optional>

#include "core/time.h"

namespace infra {

// What outlives the program.
struct TrustedTimeState {
  WallTime trusted;            // as far as time is known to have come
  milliseconds confirming{0};  // how long a jump has lasted; 0: there is none
};

// One thread.
class TrustedTime {
 public:
  // Between two looks the clocks may come apart by so much: a time server's corrections.
  static constexpr std::chrono::hours kTolerance{1};
  // Time in which the program runs, after which the clock is believed; its operator has had a day to hear of it.
  static constexpr std::chrono::hours kConfirmation{24};

  // `state` is an earlier program's; without one the clock is believed at once.
  TrustedTime(std::optional<TrustedTimeState> state, WallTime wall, SteadyTime steady);

  enum class Seen : std::uint8_t { usual, jump_begins, jump_goes_on, jump_ends };
  // A look at both clocks; `jump_ends` because the clock came back, or has been confirmed.
  Seen look(WallTime wall, SteadyTime steady);

  // By which things may be deleted: never ahead of the clock, and never ahead of the time that has passed.
  [[nodiscard]] WallTime now() const { return now_; }
  [[nodiscard]] TrustedTimeState state() const { return {.trusted = trusted_, .confirming = confirming_}; }

 private:
  WallTime trusted_;    // goes on with the steady clock
  SteadyTime looked_;   // when it did so last
  milliseconds ahead_;  // of the clock before it, at the last look
  milliseconds confirming_;
  WallTime now_;
};

}  // namespace infra
