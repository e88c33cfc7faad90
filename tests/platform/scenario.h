// What happens in a simulated run, as data: drawn from a seed, played, and made smaller while it still fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/fleet/fleet_faults.h"
#include "platform/memory_function.h"
#include "platform/scheduler.h"

namespace infra::sim {

enum class Fault : std::uint8_t {
  crash,          // the program is lost, and starts again
  stop,           // it is stopped, and starts again
  freeze,         // it stands still for a while
  jump,           // the wall clock is set anew
  drift,          // clocks run fast
  slow_launch,    // a sandbox takes seconds to start
  failed_launch,  // now and then none can be started
  bad_function,   // functions fail, hang, die, leave things behind
  killer,         // a function that takes the program down each time it runs
  disorder,       // what is ready runs in any order
  few_sandboxes,  // two in all
  short_disk,     // now and then it has no room for code, or so it says
  power_cut,      // with the program goes what the database had not synced
  disk_errors,    // for a while the database's disk refuses calls, or is full
  rate_limit,     // no fault, but a condition: clients have a small one
  flood,          // another: one function has far more to do than there are slots, and the others must not wait for it
};
inline constexpr std::size_t kFaults = 16;
[[nodiscard]] std::string_view to_string(Fault fault);

struct Step {
  enum class Kind : std::uint8_t {
    upload,
    update,
    remove,
    run_sync,
    run_async,
    crash,
    stop,
    freeze,
    jump,
    ill_disk,
    // Of a fleet alone.
    cut_off,          // a worker reaches no engine for a while
    redis_restarts,   // and has forgotten everything
    redis_fails_over  // and has forgotten the last moments
  };
  Kind kind = Kind::run_sync;
  WorldTime at{0};
  int number = 0;    // of the step, which a run's input tells
  int function = 0;  // which one
  int machine = 0;   // of a fleet: controllers first, then workers
  int address = 0;   // which client sends it
  // Of a run: what it does.
  FunctionPlan::End end = FunctionPlan::End::value;
  milliseconds takes{1};
  bool kills = false;           // the program
  bool leaves_process = false;  // and one that stays
  milliseconds ends_after{-1};
  // Of an upload or update.
  int max_concurrency = 0;
  int keep_warm = 0;
  milliseconds timeout{0};
  // Of what happens to the machine: steps of the scheduler that it waits for, and how long it takes.
  int steps = 0;
  milliseconds lasts{0};
  // Of a crash.
  int disk_calls = 0;  // of the database, the last of which does not come to pass; 0: it goes by the steps
  bool power = false;  // is cut as well
};

struct Scenario {
  std::uint64_t seed = 0;
  std::uint64_t course = 0;  // the order of things
  std::vector<Fault> faults;
  std::vector<Step> steps;           // by their time
  std::optional<FleetPart> fleet{};  // none: one machine
  // Under Fault::rate_limit.
  int rate_limit = 0;
  std::chrono::seconds rate_window{0};

  [[nodiscard]] bool has(Fault fault) const;
};

// Of one machine.
[[nodiscard]] Scenario draw_scenario(std::uint64_t seed);
// What clients do, drawn the same way for one machine and for a fleet.
[[nodiscard]] Step draw_upload(Dice& dice, int function);
[[nodiscard]] Step draw_run(Dice& dice, const Scenario& scenario);
[[nodiscard]] Step draw_change(Dice& dice);
inline constexpr int kFunctions = 3;
// A line a step.
[[nodiscard]] std::string to_text(const Scenario& scenario);
[[nodiscard]] std::string to_text(const Step& step);

}  // namespace infra::sim
