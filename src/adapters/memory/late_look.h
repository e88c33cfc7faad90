// Leases whose holders live in the same program. It may stand still (a stopped process, a paused machine), and their
// renewals with it: then the end of a lease says nothing of its holder, who gets time to renew it first.
#pragma once

#include "core/limits.h"
#include "core/time.h"

namespace infra {

// Whether the program may have stood still when the lease ended: else it is looked at when it ends, or a little later.
[[nodiscard]] inline bool is_late_look(SteadyTime lease_end, SteadyTime now) {
  constexpr milliseconds kLate{5};
  return now - lease_end > kLate;
}

[[nodiscard]] inline bool has_run_out(SteadyTime lease_end, SteadyTime now) {
  return lease_end <= now && !is_late_look(lease_end, now);
}

// When a lease ends that was looked at too late.
[[nodiscard]] inline SteadyTime new_end(SteadyTime now) {
  return now + limits::kVisibilityRenewal;
}

}  // namespace infra
