#include "core/sliding_window.h"

#include <algorithm>
#include <utility>

namespace infra {

RateDecision SlidingWindow::admit(const RatePolicy& policy, SteadyTime now) {
  if (policy.limit <= 0) return {};
  // An admission counts for the whole window, its last instant included: a window is closed at both ends.
  while (!admitted_.empty() && now - admitted_.front() > policy.window) admitted_.pop_front();

  RateDecision decision{.allowed = std::cmp_less(admitted_.size(), policy.limit), .limit = policy.limit};
  if (decision.allowed) admitted_.push_back(now);
  decision.remaining = policy.limit - static_cast<int>(admitted_.size());
  decision.reset_after = std::chrono::ceil<milliseconds>(admitted_.front() + policy.window - now) + milliseconds{1};
  return decision;
}

void SlidingWindow::withdraw(SteadyTime at) {
  const auto found = std::ranges::lower_bound(admitted_, at);
  if (found != admitted_.end() && *found == at) admitted_.erase(found);
}

bool SlidingWindow::is_idle(const RatePolicy& policy, SteadyTime now) const {
  return admitted_.empty() || now - admitted_.back() > policy.window;
}

}  // namespace infra
