#include "platform/shrink.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace infra::sim {
namespace {

constexpr int kCourses = 3;  // that a smaller scenario is tried on: with fewer steps the dice fall differently
constexpr int kMostTries = 1500;

class Shrinking {
 public:
  using Judge = std::function<Kinds(const Scenario&)>;
  Shrinking(Scenario scenario, const Judge& judge) : judge_(judge), best_(std::move(scenario)), kinds_(judge(best_)) {}

  Scenario run() {
    for (bool better = true; better && tries_ < kMostTries;) {
      better = drop_steps();
      better = drop_faults() || better;
    }
    return best_;
  }

 private:
  bool take_if_it_fails(Scenario smaller) {
    for (int i = 0; i < kCourses && tries_ < kMostTries; ++i, ++tries_) {
      const Kinds kinds = judge_(smaller);
      if (std::ranges::any_of(kinds, [&](const std::string& kind) { return kinds_.contains(kind); })) {
        best_ = std::move(smaller);
        return true;
      }
      ++smaller.course;
    }
    return false;
  }

  bool drop_steps() {
    bool better = false;
    for (std::size_t size = std::max<std::size_t>(1, best_.steps.size() / 2); size > 0; size /= 2) {
      for (std::size_t first = 0; first < best_.steps.size();) {
        Scenario smaller = best_;
        const auto begin = smaller.steps.begin() + static_cast<std::ptrdiff_t>(first);
        smaller.steps.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(size, smaller.steps.size() - first)));
        if (take_if_it_fails(std::move(smaller))) {
          better = true;
        } else {
          first += size;
        }
      }
    }
    return better;
  }

  // `list` gives the faults of a scenario.
  template <typename List>
  bool drop_from(List list) {
    bool better = false;
    for (std::size_t i = 0; i < list(best_).size();) {
      Scenario smaller = best_;
      auto& faults = list(smaller);
      faults.erase(faults.begin() + static_cast<std::ptrdiff_t>(i));
      if (take_if_it_fails(std::move(smaller))) {
        better = true;
      } else {
        ++i;
      }
    }
    return better;
  }
  bool drop_faults() {
    const bool better = drop_from([](Scenario& of) -> auto& { return of.faults; });
    return (best_.fleet && drop_from([](Scenario& of) -> auto& { return of.fleet->faults; })) || better;
  }

  const Judge& judge_;
  Scenario best_;
  const Kinds kinds_;
  int tries_ = 0;
};

}  // namespace

Kinds kinds_of(const Outcome& outcome) {
  Kinds kinds;
  for (const std::string& complaint : outcome.complaints) {
    std::string kind = complaint.substr(complaint.find(": ") + 1);
    std::erase_if(kind, [](char letter) { return letter >= '0' && letter <= '9'; });
    kinds.insert(kind);
  }
  return kinds;
}

Scenario shrink(const Scenario& scenario, const std::function<Kinds(const Scenario&)>& judge) {
  return Shrinking(scenario, judge).run();
}

}  // namespace infra::sim
