#include "platform/rate_oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

namespace infra::sim {

void RateOracle::note(int number, const std::string& address, const Answer& answer) {
  if (limit_ == 0 || !answer.arrival) return;
  Said said = Said::nothing;  // the answer was lost: it was let through if there was room
  if (answer.status == 429 && answer.text("code") == "rate_limited") {
    said = Said::refused;
  } else if (answer.status != 0) {
    if (answer.headers.count("X-RateLimit-Limit") == 0) return;  // it did not come to the limiter
    said = Said::admitted;
  }
  requests_.push_back({.number = number, .address = address, .arrival = *answer.arrival, .said = said});
}

std::vector<std::string> RateOracle::complaints() const {
  std::vector<std::string> complaints;
  std::vector<Request> all = requests_;
  std::ranges::sort(all, {}, [](const Request& one) { return one.arrival.order; });
  std::map<std::pair<int, std::string>, std::deque<SteadyTime>> windows;  // of a program's addresses
  for (const Request& one : all) {
    auto& admitted = windows[{one.arrival.program, one.address}];
    while (!admitted.empty() && one.arrival.at - admitted.front() > window_) admitted.pop_front();
    const bool room = std::cmp_less(admitted.size(), limit_);
    if (one.said == Said::admitted && !room)
      complaints.push_back(fmt::format("request #{} of {} was let through, and {} had been within the {} s before",
                                       one.number, one.address, admitted.size(), window_.count()));
    if (one.said == Said::refused && room)
      complaints.push_back(fmt::format("request #{} of {} was refused, and {} of {} had been within the {} s before",
                                       one.number, one.address, admitted.size(), limit_, window_.count()));
    if (one.said == Said::admitted || (one.said == Said::nothing && room)) admitted.push_back(one.arrival.at);
  }
  return complaints;
}

}  // namespace infra::sim
