#include "telemetry/overload.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "core/error_codes.h"
#include "telemetry/log.h"

namespace infra {
namespace {

constexpr std::chrono::seconds kTellInterval{1};
constexpr std::chrono::seconds kComeBack{5};

constexpr std::array<std::string_view, kResources> kResourceNames = {
    "connections", "descriptors", "buffered_bytes", "frame_budget", "disk", "outputs", "database_log"};
constexpr std::array<std::string_view, kActions> kActionNames = {"close_slow", "stop_outputs", "stop_uploads",
                                                                 "shed_async", "replace_connections"};

constexpr std::uint32_t bit(Resource resource) {
  return 1U << static_cast<std::uint32_t>(resource);
}

// The names of a set of resources, "disk, descriptors".
std::string names_of(std::uint32_t causes) {
  std::string names;
  for (std::size_t i = 0; i < kResources; ++i) {
    if ((causes & (1U << i)) != 0) names += fmt::format("{}{}", names.empty() ? "" : ", ", kResourceNames.at(i));
  }
  return names;
}

}  // namespace

std::string_view to_string(Resource resource) {
  return kResourceNames.at(static_cast<std::size_t>(resource));
}

std::string_view to_string(Action action) {
  return kActionNames.at(static_cast<std::size_t>(action));
}

void Overload::report(Resource resource, double pressure) {
  pressures_.at(place(resource)).store(std::clamp(pressure, 0.0, 1.0));
  for (const OverloadRule& rule : kOverloadRules) {
    if (rule.resource == resource) apply(rule);
  }
  if (untold_.load(std::memory_order_relaxed)) tell();
}

// Of two reports at once, the pressure that is kept decides: whoever changes the bit looks again.
void Overload::apply(const OverloadRule& rule) {
  auto& causes = causes_.at(place(rule.action));
  const auto& pressure = pressures_.at(place(rule.resource));
  while (true) {
    const double now = pressure.load();
    const bool is_on = (causes.load() & bit(rule.resource)) != 0;
    const bool should_be = is_on ? now >= rule.ends : now >= rule.begins;
    if (is_on == should_be) return;
    const bool was_active =
        (should_be ? causes.fetch_or(bit(rule.resource)) : causes.fetch_and(~bit(rule.resource))) != 0;
    if (was_active != active(rule.action)) untold_ = true;
  }
}

// What is not told now, because the action was told of a moment ago, the next report tells.
void Overload::tell() {
  const SteadyTime now = now_();
  const MutexLock lock(mutex_);
  untold_ = false;
  for (std::size_t i = 0; i < kActions; ++i) {
    const std::uint32_t causes = causes_.at(i);
    Told& told = told_.at(i);
    if (told.active == (causes != 0)) continue;
    if (told.at && now < *told.at + kTellInterval) {
      untold_ = true;
      continue;
    }
    told = {.active = causes != 0, .at = now};
    if (told.active) {
      log::warn("overload: an action begins", {{"action", kActionNames.at(i)}, {"for", names_of(causes)}});
    } else {
      log::info("overload: an action ends", {{"action", kActionNames.at(i)}});
    }
  }
}

Result<void> Overload::admit(Action action) const {
  const std::uint32_t causes = causes_.at(place(action));
  if (causes == 0) return {};
  if ((causes & bit(Resource::disk)) != 0) {
    return fail(
        Error{errors::storage_full,
              "The platform's disk is nearly full, and what is left is for the results of what it has accepted; "
              "try again when there is room.",
              kComeBack});
  }
  return fail(Error{errors::overloaded,
                    fmt::format("The platform is short of {}; try again in a moment.", names_of(causes)), kComeBack});
}

std::optional<double> Overload::pressure(Resource resource) const {
  const double pressure = pressures_.at(place(resource));
  return pressure == kUnknown ? std::nullopt : std::optional(pressure);
}

bool Overload::is_cause(Resource resource, Action action) const {
  return (causes_.at(place(action)) & bit(resource)) != 0;
}

void Overload::show(Metrics& metrics) const {
  for (std::size_t i = 0; i < kResources; ++i) {
    const auto known = pressure(static_cast<Resource>(i));
    if (known) metrics.set("overload_pressure", *known, kResourceNames.at(i));
  }
  for (std::size_t i = 0; i < kActions; ++i)
    metrics.set("overload_action_active", causes_.at(i) != 0 ? 1 : 0, kActionNames.at(i));
}

}  // namespace infra
