#include "core/function_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>

#include "core/error_codes.h"
#include "core/json_text.h"
#include "core/json_value.h"
#include "core/text.h"

namespace infra {
namespace {

constexpr auto kRuntimeNames = [] {
  std::array<std::string_view, kRuntimes.size()> names;
  std::ranges::transform(kRuntimes, names.begin(), &RuntimeTraits::name);
  return names;
}();
constexpr std::array<std::string_view, 2> kNetworkNames = {"none", "egress"};

using Settings = FunctionSettings;

constexpr std::array kFields = {
    SettingField{.name = "name",
                 .header = "x-function-name",
                 .column = "name",
                 .member = &Settings::name,
                 .refusal = &errors::invalid_name,
                 .rule = "name must be {0} to {1} bytes of UTF-8 text without control characters.",
                 .least = 1,
                 .most = limits::kMaxNameBytes,
                 .in_job = false,
                 .percent_encoded = true},
    SettingField{.name = "description",
                 .column = "description",
                 .member = &Settings::description,
                 .refusal = &errors::invalid_description,
                 .rule = "description must be at most {1} bytes of UTF-8 text.",
                 .most = limits::kMaxDescriptionBytes,
                 .controls = "\n\r\t",
                 .in_job = false},
    SettingField{.name = "runtime",
                 .header = "x-runtime",
                 .column = "runtime",
                 .member = &Settings::runtime,
                 .refusal = &errors::invalid_runtime,
                 .rule = "runtime must be one of {2}.",
                 .choices = kRuntimeNames,
                 .fixed = true},
    SettingField{.name = "memoryMb",
                 .header = "x-memory-mb",
                 .column = "memory_mb",
                 .member = &Settings::memory_mb,
                 .refusal = &errors::invalid_memory,
                 .rule = "Invalid memoryMb: it must be a whole number from {0} to {1}.",
                 .least = limits::kMinMemoryMb,
                 .most = limits::kMaxMemoryMb,
                 .alias = "memory",  // the dashboard's, whose recommendations begin at 1 MB
                 .alias_rule =
                     "Invalid memoryMb: memory must be a whole number from 1 to {1}; below {0} it is raised to "
                     "that."},
    SettingField{.name = "timeoutMs",
                 .column = "timeout_ms",
                 .member = &Settings::timeout,
                 .refusal = &errors::invalid_timeout,
                 .rule = "timeoutMs must be a whole number from {0} to {1}.",
                 .least = limits::kMinTimeout.count(),
                 .most = limits::kMaxTimeout.count(),
                 .shown = false},
    SettingField{.name = "envVars",
                 .column = "env",
                 .member = &Settings::env,
                 .refusal = &errors::invalid_env_vars,
                 .shown = false},
    SettingField{.name = "network",
                 .header = "x-network",
                 .column = "network",
                 .member = &Settings::network,
                 .refusal = &errors::invalid_network,
                 .rule = "network must be one of {2}.",
                 .choices = kNetworkNames,
                 .sparse = true},
    SettingField{.name = "keepWarm",
                 .header = "x-keep-warm",
                 .column = "keep_warm",
                 .member = &Settings::keep_warm,
                 .refusal = &errors::invalid_keep_warm,
                 .rule = "keepWarm must be a whole number from {0} to {1}.",
                 .most = limits::kMaxKeepWarm,
                 .sparse = true},
    SettingField{.name = "maxConcurrency",
                 .header = "x-max-concurrency",
                 .column = "max_concurrency",
                 .member = &Settings::max_concurrency,
                 .refusal = &errors::invalid_max_concurrency,
                 .rule = "maxConcurrency must be a whole number from 1 to {1}, or 0 for no limit.",
                 .most = limits::kMaxConcurrency,
                 .sparse = true,
                 .null_is_default = true},
};

const FunctionSettings& defaults() {
  static const FunctionSettings kDefaults;
  return kDefaults;
}

template <typename... Cases>
struct ByType : Cases... {
  using Cases::operator()...;
};

std::unexpected<Error> refused(const SettingField& field, bool by_alias) {
  const std::string choices = fmt::format("{}", fmt::join(field.choices, ", "));
  return fail(*field.refusal,
              fmt::format(fmt::runtime(by_alias ? field.alias_rule : field.rule), field.least, field.most, choices));
}

// A JSON number that is whole.
std::optional<std::int64_t> whole_of(const boost::json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_double() && value.get_double() == std::floor(value.get_double()) &&
      std::abs(value.get_double()) < 1e15) {
    return static_cast<std::int64_t>(value.get_double());
  }
  return std::nullopt;
}

bool is_allowed_text(const SettingField& field, std::string_view text) {
  const auto is_control = [&](char c) {
    return (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) && field.controls.find(c) == std::string_view::npos;
  };
  return std::cmp_greater_equal(text.size(), field.least) && std::cmp_less_equal(text.size(), field.most) &&
         is_valid_utf8(text) && std::ranges::none_of(text, is_control);
}

Result<void> set_whole(const SettingField& field, FunctionSettings& settings, std::optional<std::int64_t> number,
                       bool by_alias) {
  const std::int64_t least = by_alias ? 1 : field.least;
  if (!number || *number < least || *number > field.most) return refused(field, by_alias);
  if (!set_number(field, settings, std::max(*number, field.least))) return refused(field, by_alias);
  return {};
}

}  // namespace

std::string_view to_string(Network network) {
  return kNetworkNames[std::to_underlying(network)];
}

SettingType SettingField::type() const {
  static constexpr ByType kTypes{[](std::string Settings::*) { return SettingType::text; },
                                 [](Runtime Settings::*) { return SettingType::choice; },
                                 [](Network Settings::*) { return SettingType::choice; },
                                 [](int Settings::*) { return SettingType::whole; },
                                 [](milliseconds Settings::*) { return SettingType::whole; },
                                 [](Environment Settings::*) { return SettingType::environment; }};
  return std::visit(kTypes, member);
}

std::span<const SettingField> setting_fields() {
  return kFields;
}

const SettingField& field_of(const SettingMember& member) {
  return *std::ranges::find(kFields, member, &SettingField::member);
}

ChangeField find_change_field(std::string_view name) {
  for (const auto& field : kFields) {
    if (field.fixed) continue;
    if (name == field.name) return {.field = &field};
    if (!field.alias.empty() && name == field.alias) return {.field = &field, .by_alias = true};
  }
  return {};
}

std::string change_field_names() {
  std::string names;
  for (const auto& field : kFields) {
    if (!field.fixed) names.append(names.empty() ? "" : ", ").append(field.name);
  }
  return names;
}

Result<void> set_text(const SettingField& field, FunctionSettings& settings, std::string_view text, bool by_alias) {
  switch (field.type()) {
    case SettingType::text:
      if (!is_allowed_text(field, text)) return refused(field, by_alias);
      set_stored_text(field, settings, std::string(text));
      return {};
    case SettingType::choice: {
      const auto found = std::ranges::find(field.choices, text);
      if (found == field.choices.end() || !set_number(field, settings, found - field.choices.begin()))
        return refused(field, by_alias);
      return {};
    }
    case SettingType::whole:
      return set_whole(field, settings, parse_whole(text), by_alias);
    case SettingType::environment:
      return set_json(field, settings, parse_json(text).value_or(nullptr), by_alias);
  }
  return {};
}

Result<void> set_json(const SettingField& field, FunctionSettings& settings, const boost::json::value& value,
                      bool by_alias) {
  if (value.is_null() && field.null_is_default) {
    std::visit([&](auto member) { settings.*member = defaults().*member; }, field.member);
    return {};
  }
  if (field.type() == SettingType::whole) return set_whole(field, settings, whole_of(value), by_alias);
  if (field.type() == SettingType::environment) {
    auto env = read_environment(value);
    if (!env) return fail(env.error());
    set_stored_environment(field, settings, std::move(*env));
    return {};
  }
  if (!value.is_string()) return fail(*field.refusal, fmt::format("{} must be a string.", field.name));
  return set_text(field, settings, std::string_view(value.get_string()), by_alias);
}

void set_stored_number(const SettingField& field, FunctionSettings& settings, std::optional<double> number) {
  if (field.type() != SettingType::whole) return;
  const bool is_number = number && !std::isnan(*number);
  const std::int64_t nearest =
      is_number ? std::llround(std::clamp(*number, static_cast<double>(field.least), static_cast<double>(field.most)))
                : number_of(field, defaults());
  static_cast<void>(set_number(field, settings, nearest));
}

void set_stored_text(const SettingField& field, FunctionSettings& settings, std::string text) {
  if (const auto* member = std::get_if<std::string Settings::*>(&field.member)) {
    settings.** member = std::move(text);
    return;
  }
  if (field.type() != SettingType::choice) return;
  const auto found = std::ranges::find(field.choices, std::string_view(text));
  static_cast<void>(set_number(
      field, settings,
      found == field.choices.end() ? number_of(field, defaults()) : std::int64_t{found - field.choices.begin()}));
}

void set_stored_environment(const SettingField& field, FunctionSettings& settings, Environment env) {
  if (const auto* member = std::get_if<Environment Settings::*>(&field.member)) settings.** member = std::move(env);
}

bool set_number(const SettingField& field, FunctionSettings& settings, std::int64_t number) {
  const auto choose = [&]<typename Enum>(Enum Settings::* member) {
    const auto value = from_number<Enum>(number);
    if (value) settings.*member = *value;
    return value.has_value();
  };
  return std::visit(
      ByType{[&](int Settings::* member) { return settings.*member = static_cast<int>(number), true; },
             [&](milliseconds Settings::* member) { return settings.*member = milliseconds{number}, true; },
             [&](Runtime Settings::* member) { return choose(member); },
             [&](Network Settings::* member) { return choose(member); }, [](std::string Settings::*) { return false; },
             [](Environment Settings::*) { return false; }},
      field.member);
}

std::int64_t number_of(const SettingField& field, const FunctionSettings& settings) {
  return std::visit(
      ByType{[&](int Settings::* member) { return std::int64_t{settings.*member}; },
             [&](milliseconds Settings::* member) { return std::int64_t{(settings.*member).count()}; },
             [&](Runtime Settings::* member) { return std::int64_t{std::to_underlying(settings.*member)}; },
             [&](Network Settings::* member) { return std::int64_t{std::to_underlying(settings.*member)}; },
             [](std::string Settings::*) { return std::int64_t{0}; },
             [](Environment Settings::*) { return std::int64_t{0}; }},
      field.member);
}

std::string text_of(const SettingField& field, const FunctionSettings& settings) {
  if (const auto* text = std::get_if<std::string Settings::*>(&field.member)) return settings.**text;
  if (const auto* env = std::get_if<Environment Settings::*>(&field.member)) return to_json(settings.**env);
  if (field.type() != SettingType::choice) return {};
  return std::string(field.choices[static_cast<std::size_t>(number_of(field, settings))]);
}

bool is_written(const SettingField& field, const FunctionSettings& settings) {
  return !field.sparse || number_of(field, settings) != number_of(field, defaults());
}

void append_json_member(std::string& json, const SettingField& field, const FunctionSettings& settings) {
  json.append("\"").append(field.name).append("\":");
  switch (field.type()) {
    case SettingType::whole:
      json.append(std::to_string(number_of(field, settings)));
      break;
    case SettingType::environment:
      json.append(text_of(field, settings));
      break;
    case SettingType::text:
    case SettingType::choice:
      json.append(json_quote(text_of(field, settings)));
      break;
  }
  json.push_back(',');
}

FunctionSettings& SettingsChange::change(const SettingField& field) {
  named_.set(index_of(field));
  return values_;
}

void SettingsChange::apply_to(FunctionSettings& settings) const {
  for (const auto& field : kFields) {
    if (names(field)) std::visit([&](auto member) { settings.*member = values_.*member; }, field.member);
  }
}

std::size_t SettingsChange::index_of(const SettingField& field) {
  static_assert(kFields.size() <= kMostFields);
  return static_cast<std::size_t>(&field - kFields.data());
}

}  // namespace infra
