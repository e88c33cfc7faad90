// The limiter's promise, checked against every window there is rather than against chosen examples.
#include "core/sliding_window.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <vector>

namespace infra {
namespace {

using std::chrono::seconds;

constexpr SteadyTime kStart{std::chrono::hours{1}};

std::ptrdiff_t within(const std::vector<SteadyTime>& admitted, SteadyTime from, SteadyTime to) {
  return std::ranges::count_if(admitted, [&](SteadyTime at) { return at >= from && at <= to; });
}

RatePolicy any_policy() {
  return {.limit = *rc::gen::inRange(1, 12), .window = seconds{*rc::gen::inRange(1, 6)}};
}

// Gaps that cluster at zero and round the window's length, where an off-by-one would show.
milliseconds any_gap(const RatePolicy& policy) {
  const int window_ms = static_cast<int>(milliseconds{policy.window}.count());
  return milliseconds{*rc::gen::oneOf(rc::gen::just(0), rc::gen::inRange(0, 400),
                                      rc::gen::just(window_ms / policy.limit),
                                      rc::gen::inRange(window_ms - 1, window_ms + 2))};
}

TEST(SlidingWindowTest, NoWindowEverHoldsMoreThanTheLimitAndNothingIsRefusedNeedlessly) {
  EXPECT_TRUE(rc::check([] {
    const RatePolicy policy = any_policy();
    SlidingWindow window;
    std::vector<SteadyTime> admitted;
    SteadyTime now = kStart;
    const int arrivals = *rc::gen::inRange(1, 80);
    for (int i = 0; i < arrivals; ++i) {
      now += any_gap(policy);
      // Every window that holds `now` as its end has its newest admissions in here; closed at both ends.
      const bool fits = within(admitted, now - policy.window, now) < policy.limit;
      const RateDecision decision = window.admit(policy, now);
      RC_ASSERT(decision.allowed == fits);
      if (decision.allowed) admitted.push_back(now);
      RC_ASSERT(decision.remaining == policy.limit - within(admitted, now - policy.window, now));
    }
    for (const SteadyTime from : admitted) RC_ASSERT(within(admitted, from, from + policy.window) <= policy.limit);
  }));
}

TEST(SlidingWindowTest, ResetAfterIsTheEarliestMillisecondThatLetsOneMoreThrough) {
  EXPECT_TRUE(rc::check([] {
    const RatePolicy policy = any_policy();
    SlidingWindow window;
    SteadyTime now = kStart;
    RateDecision decision;
    for (int i = 0; i < 200; ++i) {
      decision = window.admit(policy, now);
      if (!decision.allowed) break;
      now += milliseconds{*rc::gen::inRange(0, 50)};
    }
    RC_PRE(!decision.allowed);
    SlidingWindow too_early = window;
    RC_ASSERT(!too_early.admit(policy, now + decision.reset_after - milliseconds{1}).allowed);
    RC_ASSERT(window.admit(policy, now + decision.reset_after).allowed);
  }));
}

TEST(SlidingWindowTest, AWithdrawnAdmissionLeavesNoTrace) {
  EXPECT_TRUE(rc::check([] {
    const RatePolicy policy = any_policy();
    SlidingWindow with;
    SlidingWindow without;
    SteadyTime now = kStart;
    for (int i = 0; i < 40; ++i) {
      now += any_gap(policy);
      const SteadyTime guest_at = now;
      const bool had_guest = with.admit(policy, guest_at).allowed;
      if (*rc::gen::arbitrary<bool>()) now += milliseconds{*rc::gen::inRange(0, 3)};
      if (had_guest) with.withdraw(guest_at);
      const RateDecision decision = with.admit(policy, now);
      const RateDecision expected = without.admit(policy, now);
      RC_ASSERT(decision.allowed == expected.allowed);
      RC_ASSERT(decision.remaining == expected.remaining);
      RC_ASSERT(decision.reset_after == expected.reset_after);
    }
    with.withdraw(now + seconds{1});  // none was made then
    RC_ASSERT(with.admit(policy, now).remaining == without.admit(policy, now).remaining);
  }));
}

TEST(SlidingWindowTest, LimitOfZeroTurnsItOff) {
  SlidingWindow window;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(window.admit({.limit = 0, .window = seconds{60}}, kStart).allowed);
  EXPECT_TRUE(window.is_idle({.limit = 0, .window = seconds{60}}, kStart));
}

TEST(SlidingWindowTest, IsIdleOnceItsLastAdmissionHasLeftTheWindow) {
  const RatePolicy policy{.limit = 2, .window = seconds{60}};
  SlidingWindow window;
  EXPECT_TRUE(window.is_idle(policy, kStart));
  window.admit(policy, kStart);
  EXPECT_FALSE(window.is_idle(policy, kStart + seconds{60}));
  EXPECT_TRUE(window.is_idle(policy, kStart + seconds{60} + milliseconds{1}));
}

}  // namespace
}  // namespace infra
