// ./dev simulate: plays seeds until one fails, then makes its scenario smaller and shows what happens in it.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "platform/fleet/fleet_simulation.h"
#include "platform/last_words.h"
#include "platform/shrink.h"

namespace {

using infra::sim::draw_any_scenario;
using infra::sim::Outcome;
using infra::sim::play_any;
using infra::sim::Scenario;

struct Wanted {
  std::optional<std::uint64_t> seed;
  std::uint64_t first = 1;
  std::uint64_t seeds = 1000;
  double minutes = 0;  // 0: as long as the seeds take
  bool keeps_going = false;
  bool traces = false;
  bool shrinks = true;
  std::optional<bool> fleets{};  // only these; only one machine's; both
};

std::optional<Wanted> read_arguments(int count, char** arguments) {
  Wanted wanted;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = arguments[i];
    const char* value = i + 1 < count ? arguments[i + 1] : nullptr;
    if (word == "--keep-going") {
      wanted.keeps_going = true;
    } else if (word == "--trace") {
      wanted.traces = true;
    } else if (word == "--no-shrink") {
      wanted.shrinks = false;
    } else if (word == "--fleets" || word == "--machines") {
      wanted.fleets = word == "--fleets";
    } else if (value != nullptr && word == "--seed") {
      wanted.seed = std::strtoull(arguments[++i], nullptr, 10);
    } else if (value != nullptr && word == "--from") {
      wanted.first = std::strtoull(arguments[++i], nullptr, 10);
    } else if (value != nullptr && word == "--seeds") {
      wanted.seeds = std::strtoull(arguments[++i], nullptr, 10);
    } else if (value != nullptr && word == "--minutes") {
      wanted.minutes = std::strtod(arguments[++i], nullptr);
      wanted.seeds = UINT64_MAX;
    } else {
      fmt::print(stderr,
                 "usage: simulate [--seeds N] [--from SEED] [--seed SEED] [--minutes M] [--fleets | --machines] "
                 "[--keep-going] [--trace] [--no-shrink]\n");
      return std::nullopt;
    }
  }
  return wanted;
}

void show(const Outcome& outcome) {
  for (const auto& line : outcome.trace) fmt::print("  {}\n", line);
  for (const auto& complaint : outcome.complaints) fmt::print("  WRONG {}\n", complaint);
}

// Gives whether it held.
bool try_seed(std::uint64_t seed, const Wanted& wanted) {
  const Scenario scenario = draw_any_scenario(seed);
  const Outcome outcome = play_any(scenario, wanted.traces);
  if (wanted.traces) fmt::print("{}", infra::sim::to_text(scenario));
  if (outcome.complaints.empty()) {
    if (wanted.traces) show(outcome);
    return true;
  }
  fmt::print("seed {} fails:\n", seed);
  show(outcome);
  if (wanted.shrinks) {
    const Scenario small =
        infra::sim::shrink(scenario, [](const Scenario& one) { return infra::sim::kinds_of(play_any(one)); });
    fmt::print("the smallest scenario that was found to fail so:\n{}", infra::sim::to_text(small));
    show(play_any(small, true));
  }
  fmt::print("again: ./dev simulate --seed {}\n", seed);
  return false;
}

}  // namespace

int main(int count, char** arguments) {
  (void)std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  const auto wanted = read_arguments(count, arguments);
  if (!wanted) return 2;
  infra::sim::tell_last_words();
  if (wanted->seed) return try_seed(*wanted->seed, *wanted) ? 0 : 1;
  const auto begun = std::chrono::steady_clock::now();
  const auto passed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count(); };
  std::uint64_t played = 0, failed = 0;
  std::uint64_t seed = wanted->first;
  for (; played < wanted->seeds && (wanted->minutes == 0 || passed() < wanted->minutes * 60); ++seed) {
    if (wanted->fleets && *wanted->fleets != infra::sim::is_fleet(seed)) continue;
    ++played;
    if (try_seed(seed, *wanted)) continue;
    ++failed;
    if (!wanted->keeps_going) return 1;
  }
  fmt::print("{} seeds from {} on, {} of them failed, {:.0f} s\n", played, wanted->first, failed, passed());
  return failed == 0 ? 0 : 1;
}
