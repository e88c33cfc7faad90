#include "platform/conditions.h"

#include <algorithm>
#include <array>
#include <string>

#include "core/error_codes.h"

namespace infra::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

int sandboxes_of(const Scenario& scenario) {
  return scenario.has(Fault::few_sandboxes) ? 2 : 8;
}

// Asking the engines at the usual pace is most of what an idle platform does.
std::string health_interval_of(const Scenario& scenario) {
  return Dice(scenario.course).apart("health interval").chance(0.1) ? "500" : "20000";
}

}  // namespace

EmbeddedOptions options_for(const Scenario& scenario, const std::shared_ptr<Dice>& dice, const bool& faults_over) {
  EmbeddedOptions options;
  options.sandboxes = sandboxes_of(scenario);
  options.variables = {
      {"RATE_LIMIT", std::to_string(scenario.has(Fault::rate_limit) ? scenario.rate_limit : 0)},
      {"RATE_LIMIT_WINDOW_SECONDS", std::to_string(std::max<std::int64_t>(1, scenario.rate_window.count()))},
      {"SHUTDOWN_TIMEOUT_SECONDS", "5"},
      {"INFRA_HEALTH_INTERVAL_MS", health_interval_of(scenario)},
      {"INFRA_IDLE_TIMEOUT_SECONDS", "60"}};
  options.launch_takes = [dice, slow = scenario.has(Fault::slow_launch), &faults_over] {
    return milliseconds(slow && !faults_over && dice->chance(0.2) ? dice->between(1000, 15'000) : dice->between(2, 60));
  };
  if (scenario.has(Fault::failed_launch)) {
    options.launch_fails = [dice, &faults_over]() -> std::optional<Error> {
      if (faults_over || !dice->chance(0.15)) return std::nullopt;
      return Error{errors::sandbox_failed, "This world refuses a sandbox now and then."};
    };
  }
  if (scenario.has(Fault::short_disk)) {
    options.disk = [dice, &faults_over]() -> std::optional<DiskState> {
      DiskState state{.bytes = 100 * kGiB, .free_bytes = 90 * kGiB, .files = 5'000'000, .free_files = 4'000'000};
      if (!faults_over && dice->chance(0.1)) state.free_bytes = kGiB / 32;
      return state;
    };
  }
  return options;
}

// A sandbox may take its time to start, and the program to go on. Where none can be started, or code can't be unpacked,
// a job is tried again when its lease is over, and that more than once.
Patience patience_for(const Scenario& scenario) {
  Patience patience{.longest_idle = seconds(15), .slots = sandboxes_of(scenario)};
  WorldTime& longest = patience.longest_idle;
  if (scenario.has(Fault::slow_launch)) longest += seconds(20);
  if (scenario.has(Fault::freeze)) longest += seconds(20);
  if (scenario.has(Fault::disk_errors)) longest += seconds(20);
  if (scenario.has(Fault::failed_launch) || scenario.has(Fault::short_disk)) longest += minutes(5);
  static constexpr std::array kMakeWait{Fault::slow_launch, Fault::failed_launch, Fault::freeze,      Fault::short_disk,
                                        Fault::disk_errors, Fault::killer,        Fault::bad_function};
  if (std::ranges::none_of(kMakeWait, [&](Fault fault) { return scenario.has(fault); }))
    patience.longest_start = milliseconds(200);
  return patience;
}

}  // namespace infra::sim
