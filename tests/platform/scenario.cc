#include "platform/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace infra::sim {
namespace {

using End = FunctionPlan::End;
using Kind = Step::Kind;

constexpr std::size_t kFirstFaults = 11;  // which have their dice in common
constexpr int kFlood = 40;                // runs
constexpr int kAddresses = 3;             // of clients

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::upload:
      return "upload";
    case Kind::update:
      return "update";
    case Kind::remove:
      return "delete";
    case Kind::run_sync:
      return "run";
    case Kind::run_async:
      return "run async";
    case Kind::crash:
      return "crash";
    case Kind::stop:
      return "stop";
    case Kind::freeze:
      return "freeze";
    case Kind::jump:
      return "jump";
    case Kind::cut_off:
      return "cut off";
    case Kind::redis_restarts:
      return "Redis restarts";
    case Kind::redis_fails_over:
      return "Redis fails over";
    case Kind::ill_disk:
      return "the disk refuses calls";
  }
  return "";
}

std::string_view to_string(End end) {
  switch (end) {
    case End::value:
      return "value";
    case End::error:
      return "error";
    case End::import_error:
      return "import error";
    case End::exit:
      return "exit";
    case End::killed:
      return "killed";
    case End::out_of_memory:
      return "out of memory";
    case End::hang:
      return "hang";
    case End::close:
      return "close";
    case End::garbage:
      return "garbage";
    case End::another_request:
      return "another request";
  }
  return "";
}

// Most calls are short; some last as long as what happens to the machine.
milliseconds some_time(Dice& dice) {
  switch (dice.below(4)) {
    case 0:
      return milliseconds(dice.between(0, 3));
    case 1:
      return milliseconds(dice.between(1, 50));
    case 2:
      return milliseconds(dice.between(20, 1000));
    default:
      return milliseconds(dice.between(500, 8000));
  }
}

void set_settings(Dice& dice, Step& step) {
  if (dice.chance(0.4)) step.max_concurrency = static_cast<int>(dice.between(1, 2));
  if (dice.chance(0.4)) step.keep_warm = static_cast<int>(dice.between(1, 2));
  if (dice.chance(0.3)) step.timeout = milliseconds(dice.between(1000, 10'000));
}

}  // namespace

Step draw_upload(Dice& dice, int function) {
  Step step{.kind = Kind::upload, .function = function};
  set_settings(dice, step);
  return step;
}

Step draw_run(Dice& dice, const Scenario& scenario) {
  Step step{.kind = dice.chance(0.5) ? Kind::run_async : Kind::run_sync,
            .function = static_cast<int>(dice.below(kFunctions)),
            .takes = some_time(dice)};
  if (scenario.has(Fault::bad_function) && dice.chance(0.35)) {
    static constexpr std::array kEnds{End::error, End::exit,  End::killed,  End::out_of_memory,
                                      End::hang,  End::close, End::garbage, End::another_request};
    step.end = kEnds[dice.below(kEnds.size())];
  }
  if (scenario.has(Fault::bad_function) && step.end == End::value) {
    step.leaves_process = dice.chance(0.05);
    if (dice.chance(0.05)) step.ends_after = milliseconds(dice.between(0, 200));
  }
  if (scenario.has(Fault::killer)) step.kills = dice.chance(0.03);
  return step;
}

Step draw_change(Dice& dice) {
  Step step{.function = static_cast<int>(dice.below(kFunctions))};
  const auto which = dice.below(6);
  step.kind = which < 3 ? Kind::update : which < 5 ? Kind::upload : Kind::remove;
  set_settings(dice, step);
  return step;
}

namespace {

// What may happen to the machine under these faults; run_sync for nothing.
Step draw_event(Dice& dice, const Scenario& scenario) {
  std::vector<Kind> kinds;
  if (scenario.has(Fault::crash)) kinds.push_back(Kind::crash);
  if (scenario.has(Fault::stop)) kinds.push_back(Kind::stop);
  if (scenario.has(Fault::freeze)) kinds.push_back(Kind::freeze);
  if (scenario.has(Fault::jump)) kinds.push_back(Kind::jump);
  if (kinds.empty()) return draw_run(dice, scenario);
  Step step{.kind = kinds[dice.below(kinds.size())],
            .steps = static_cast<int>(dice.below(dice.chance(0.5) ? 60 : 2000))};
  step.lasts = milliseconds(dice.between(10, 10'000));
  if (step.kind == Kind::jump) step.lasts = milliseconds(dice.between(-1'500'000, 1'500'000));
  return step;
}

void sort_by_time(std::vector<Step>& steps) {
  std::ranges::sort(steps, {}, [](const Step& step) { return std::pair(step.at, step.number); });
}

// What came later has dice of its own: the seeds of before go on meaning what they did.
void add_disk_faults(std::uint64_t seed, Scenario& scenario) {
  Dice dice = Dice(seed).apart("the database's disk");
  if (dice.chance(0.4)) scenario.faults.push_back(Fault::power_cut);
  if (dice.chance(0.3)) scenario.faults.push_back(Fault::disk_errors);
  for (Step& step : scenario.steps) {
    if (step.kind != Kind::crash) continue;
    step.power = dice.chance(0.5);
    if (dice.chance(0.5)) step.disk_calls = static_cast<int>(dice.between(1, dice.chance(0.5) ? 30 : 300));
  }
  const WorldTime end = scenario.steps.back().at;
  const auto add = [&](Step step) {
    step.at = WorldTime(dice.between(0, end.count()));
    step.number = static_cast<int>(scenario.steps.size());
    scenario.steps.push_back(step);
  };
  if (scenario.has(Fault::power_cut)) {
    for (auto left = dice.between(1, 2); left > 0; --left)
      add({.kind = Kind::crash, .disk_calls = static_cast<int>(dice.between(1, 100)), .power = true});
  }
  if (scenario.has(Fault::disk_errors)) {
    for (auto left = dice.between(1, 3); left > 0; --left)
      add({.kind = Kind::ill_disk, .lasts = milliseconds(dice.between(5, dice.chance(0.7) ? 500 : 10'000))});
  }
  sort_by_time(scenario.steps);
}

void add_rate_limit(std::uint64_t seed, Scenario& scenario) {
  Dice dice = Dice(seed).apart("rate limit");
  if (!dice.chance(0.2)) return;
  scenario.faults.push_back(Fault::rate_limit);
  scenario.rate_limit = static_cast<int>(dice.between(2, 8));
  scenario.rate_window = std::chrono::seconds(dice.chance(0.5) ? dice.between(1, 5) : dice.between(5, 60));
  const auto addresses = static_cast<std::uint64_t>(dice.between(1, kAddresses));
  for (Step& step : scenario.steps) step.address = static_cast<int>(dice.below(addresses));
}

// A story of its own, in which nothing else makes a run wait: no limits, no losses, short runs of the others.
void add_flood(std::uint64_t seed, Scenario& scenario) {
  Dice dice = Dice(seed).apart("flood");
  if (!dice.chance(0.06)) return;
  std::erase_if(scenario.faults, [](Fault fault) {
    static constexpr std::array kKept{Fault::jump, Fault::drift, Fault::disorder, Fault::few_sandboxes};
    return std::ranges::find(kKept, fault) == kKept.end();
  });
  scenario.faults.push_back(Fault::flood);
  std::erase_if(scenario.steps, [](const Step& step) { return step.kind == Kind::stop || step.kind == Kind::freeze; });
  for (Step& step : scenario.steps) {
    step.max_concurrency = 0;
    step.takes = milliseconds(dice.between(0, 300));
    step.end = End::value;
    step.kills = step.leaves_process = false;
    step.ends_after = milliseconds(-1);
  }
  const auto function = static_cast<int>(dice.below(kFunctions));
  const WorldTime at = milliseconds(dice.between(200, 1000));
  int number = std::ranges::max(scenario.steps, {}, &Step::number).number;
  for (int i = 0; i < kFlood; ++i) {
    scenario.steps.push_back({.kind = Kind::run_async,
                              .at = at + milliseconds(dice.between(0, 20)),
                              .number = ++number,
                              .function = function,
                              .takes = milliseconds(dice.between(200, 1000))});
  }
  sort_by_time(scenario.steps);
}

}  // namespace

std::string_view to_string(Fault fault) {
  static constexpr std::array<std::string_view, kFaults> kNames{
      "crash",  "stop",     "freeze",        "jump",       "drift",     "slow_launch", "failed_launch", "bad_function",
      "killer", "disorder", "few_sandboxes", "short_disk", "power_cut", "disk_errors", "rate_limit",    "flood"};
  return kNames.at(static_cast<std::size_t>(fault));
}

bool Scenario::has(Fault fault) const {
  return std::ranges::find(faults, fault) != faults.end();
}

Scenario draw_scenario(std::uint64_t seed) {
  Dice dice = Dice(seed).apart("scenario");
  Scenario scenario{.seed = seed, .course = dice.next(), .faults = {}, .steps = {}};
  // Each run has some of the faults: what one hides another shows.
  for (std::size_t i = 0; i < kFirstFaults; ++i) {
    const auto fault = static_cast<Fault>(i);
    if (dice.chance(fault == Fault::disorder ? 0.8 : 0.45)) scenario.faults.push_back(fault);
  }
  // By dice of its own: the seeds of before go on meaning what they did.
  if (Dice(seed).apart("short disk").chance(0.2)) scenario.faults.push_back(Fault::short_disk);
  WorldTime at{0};
  for (int i = 0; i < kFunctions; ++i) {
    scenario.steps.push_back(draw_upload(dice, i));
    scenario.steps.back().at = at;
  }
  at = std::chrono::milliseconds(200);
  const auto count = static_cast<int>(dice.between(10, 40));
  const auto pause = dice.chance(0.5) ? 200 : 2000;  // ms, at most, between two steps
  for (int i = 0; i < count; ++i) {
    const auto which = dice.below(20);
    Step step = which < 14 ? draw_run(dice, scenario) : which < 17 ? draw_change(dice) : draw_event(dice, scenario);
    if (!dice.chance(0.3)) at += std::chrono::milliseconds(dice.between(0, pause));
    step.at = at;
    scenario.steps.push_back(step);
  }
  for (std::size_t i = 0; i < scenario.steps.size(); ++i) scenario.steps[i].number = static_cast<int>(i);
  add_disk_faults(seed, scenario);
  add_rate_limit(seed, scenario);
  add_flood(seed, scenario);
  return scenario;
}

std::string to_text(const Step& step) {
  std::string text = fmt::format("{:>6} ms  #{} {}", step.at.count() / 1'000'000, step.number, to_string(step.kind));
  if (step.kind >= Kind::crash && step.machine > 0) text += fmt::format(" machine {}", step.machine);
  switch (step.kind) {
    case Kind::run_sync:
    case Kind::run_async:
      text += fmt::format(" f{}: {} ms, {}", step.function, step.takes.count(), to_string(step.end));
      if (step.kills) text += ", kills the program";
      if (step.leaves_process) text += ", leaves a process";
      if (step.ends_after.count() >= 0) text += fmt::format(", exits {} ms later", step.ends_after.count());
      break;
    case Kind::upload:
    case Kind::update:
      text += fmt::format(" f{}: maxConcurrency {}, keepWarm {}, timeout {} ms", step.function, step.max_concurrency,
                          step.keep_warm, step.timeout.count());
      break;
    case Kind::remove:
      text += fmt::format(" f{}", step.function);
      break;
    case Kind::crash:
      if (step.disk_calls > 0) {
        text += fmt::format(" at call {} of the disk", step.disk_calls);
      } else {
        text += fmt::format(" after {} steps", step.steps);
      }
      if (step.power) text += ", with the power";
      break;
    case Kind::ill_disk:
      text += fmt::format(" for {} ms", step.lasts.count());
      break;
    case Kind::stop:
    case Kind::freeze:
    case Kind::jump:
    case Kind::cut_off:
    case Kind::redis_restarts:
    case Kind::redis_fails_over:
      text += fmt::format(" after {} steps, {} ms", step.steps, step.lasts.count());
      break;
  }
  return text;
}

std::string to_text(const Scenario& scenario) {
  std::string text = fmt::format("seed {}, course {}, faults:", scenario.seed, scenario.course);
  for (const Fault fault : scenario.faults) text += fmt::format(" {}", to_string(fault));
  if (scenario.fleet) text += "; " + to_text(*scenario.fleet);
  if (scenario.has(Fault::rate_limit))
    text += fmt::format(" ({} requests in {} s)", scenario.rate_limit, scenario.rate_window.count());
  text += '\n';
  for (const Step& step : scenario.steps) text += to_text(step) + '\n';
  return text;
}

}  // namespace infra::sim
