#include "platform/fleet/fleet_scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace infra::sim {
namespace {

using Kind = Step::Kind;

// Of one machine's faults; a fleet's disks are not short.
constexpr std::array kMachineFaults{Fault::crash,  Fault::stop,        Fault::freeze,        Fault::jump,
                                    Fault::drift,  Fault::slow_launch, Fault::failed_launch, Fault::bad_function,
                                    Fault::killer, Fault::disorder,    Fault::few_sandboxes};

// What may happen to machines and Redis under these faults; run_sync for nothing.
Step draw_event(Dice& dice, const Scenario& scenario) {
  const FleetPart& fleet = *scenario.fleet;
  std::vector<Kind> kinds;
  if (scenario.has(Fault::crash)) kinds.push_back(Kind::crash);
  if (scenario.has(Fault::stop)) kinds.push_back(Kind::stop);
  if (scenario.has(Fault::freeze)) kinds.push_back(Kind::freeze);
  if (scenario.has(Fault::jump)) kinds.push_back(Kind::jump);
  if (fleet.has(FleetFault::cut_offs)) kinds.push_back(Kind::cut_off);
  if (fleet.has(FleetFault::redis_loses)) kinds.push_back(Kind::redis_restarts);
  if (fleet.has(FleetFault::redis_loses)) kinds.push_back(Kind::redis_fails_over);
  if (kinds.empty()) return draw_run(dice, scenario);
  Step step{.kind = kinds[dice.below(kinds.size())],
            .steps = static_cast<int>(dice.below(dice.chance(0.5) ? 60 : 2000))};
  step.machine = static_cast<int>(dice.below(static_cast<std::uint64_t>(fleet.controllers + fleet.workers)));
  step.lasts = milliseconds(dice.between(10, 10'000));
  if (step.kind == Kind::jump) step.lasts = milliseconds(dice.between(-1'500'000, 1'500'000));
  if (step.kind == Kind::cut_off) {
    step.machine = fleet.controllers + static_cast<int>(dice.below(static_cast<std::uint64_t>(fleet.workers)));
    step.lasts = milliseconds(dice.between(100, 60'000));
  }
  if (step.kind == Kind::redis_fails_over) step.lasts = milliseconds(dice.between(0, 2000));
  return step;
}

}  // namespace

std::string_view to_string(FleetFault fault) {
  static constexpr std::array<std::string_view, kFleetFaults> kNames{
      "sqs_copies",   "sqs_reorders",  "sqs_forgets",   "sqs_polls",   "sqs_fails", "dynamo_refuses",
      "dynamo_fails", "dynamo_late",   "dynamo_stale",  "s3_fails",    "s3_slow",   "redis_drops",
      "redis_late",   "redis_refuses", "redis_freezes", "redis_loses", "cut_offs"};
  return kNames.at(static_cast<std::size_t>(fault));
}

bool FleetPart::has(FleetFault fault) const {
  return std::ranges::find(faults, fault) != faults.end();
}

std::string to_text(const FleetPart& fleet) {
  std::string text = fmt::format("a fleet of {} controllers and {} workers, a share of {}:", fleet.controllers,
                                 fleet.workers, fleet.share);
  for (const FleetFault fault : fleet.faults) text += fmt::format(" {}", to_string(fault));
  return text;
}

Scenario draw_fleet_scenario(std::uint64_t seed) {
  Dice dice = Dice(seed).apart("fleet scenario");
  Scenario scenario{.seed = seed, .course = dice.next(), .faults = {}, .steps = {}, .fleet = FleetPart{}};
  FleetPart& fleet = *scenario.fleet;
  fleet.controllers = static_cast<int>(dice.between(1, 3));
  fleet.workers = static_cast<int>(dice.between(1, 3));
  static constexpr std::array kShares{0.01, 0.05, 0.2};
  fleet.share = kShares[dice.below(kShares.size())];
  // Each run has some of the faults, and some runs few of them: what one hides another shows.
  const double few = dice.chance(0.5) ? 0.12 : 0.35;
  for (std::size_t i = 0; i < kFleetFaults; ++i) {
    if (dice.chance(few)) fleet.faults.push_back(static_cast<FleetFault>(i));
  }
  for (const Fault fault : kMachineFaults) {
    if (dice.chance(fault == Fault::disorder ? 0.8 : 0.3)) scenario.faults.push_back(fault);
  }
  WorldTime at{0};
  for (int i = 0; i < kFunctions; ++i) scenario.steps.push_back(draw_upload(dice, i));
  at = std::chrono::milliseconds(500);
  const auto count = static_cast<int>(dice.between(10, 40));
  const auto pause = dice.chance(0.5) ? 200 : 3000;  // ms, at most, between two steps
  for (int i = 0; i < count; ++i) {
    const auto which = dice.below(20);
    Step step = which < 13 ? draw_run(dice, scenario) : which < 16 ? draw_change(dice) : draw_event(dice, scenario);
    // Longer than a lease, now and then.
    if ((step.kind == Kind::run_sync || step.kind == Kind::run_async) && dice.chance(0.05))
      step.takes = milliseconds(dice.between(20'000, 70'000));
    if (!dice.chance(0.3)) at += std::chrono::milliseconds(dice.between(0, pause));
    step.at = at;
    scenario.steps.push_back(step);
  }
  for (std::size_t i = 0; i < scenario.steps.size(); ++i) scenario.steps[i].number = static_cast<int>(i);
  return scenario;
}

Scenario draw_any_scenario(std::uint64_t seed) {
  return is_fleet(seed) ? draw_fleet_scenario(seed) : draw_scenario(seed);
}

}  // namespace infra::sim
