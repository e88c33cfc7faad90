#include "cli/function_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "cli/toml_text.h"
#include "core/json_text.h"
#include "core/text.h"

namespace infra::cli {
namespace {

enum class Kind : unsigned char { text, whole, megabytes, duration };

struct Setting {
  std::string_view option;
  std::string_view in_api;  // core/function_settings.cc
  Kind kind;
};

constexpr std::array kSettings = {
    Setting{"name", "name", Kind::text},
    Setting{"runtime", "runtime", Kind::text},
    Setting{"memory", "memoryMb", Kind::megabytes},
    Setting{"timeout", "timeoutMs", Kind::duration},
    Setting{"network", "network", Kind::text},
    Setting{"keep-warm", "keepWarm", Kind::whole},
    Setting{"max-concurrency", "maxConcurrency", Kind::whole},
    Setting{"description", "description", Kind::text},
};

std::optional<std::int64_t> parse_megabytes(std::string_view text) {
  const std::string lower = ascii_lower(text);
  const auto unit = lower.find_first_not_of("0123456789");
  const auto number = parse_whole(std::string_view(lower).substr(0, unit));
  const std::string_view name = unit == std::string::npos ? "mb" : std::string_view(lower).substr(unit);
  if (!number || *number > 1'000'000) return std::nullopt;
  if (name == "mb" || name == "m" || name == "mib") return number;
  if (name == "gb" || name == "g" || name == "gib") return *number * 1024;
  return std::nullopt;
}

Outcome<ApiSetting> to_api(const Setting& setting, const std::string& value) {
  ApiSetting made{.name = std::string(setting.in_api), .value = value, .is_number = setting.kind != Kind::text};
  if (setting.kind == Kind::text) return made;
  const auto number = setting.kind == Kind::megabytes  ? parse_megabytes(value)
                      : setting.kind == Kind::duration ? parse_duration(value)
                                                       : parse_whole(value);
  if (!number) {
    constexpr std::array<std::string_view, 4> kForms = {"", "a whole number", "megabytes, as 512 or 1gb",
                                                        "a time, as 30s, 500ms or 5m"};
    return wrong_usage(fmt::format("{} must be {}, not \"{}\".", setting.option,
                                   kForms[static_cast<std::size_t>(setting.kind)], value));
  }
  made.value = std::to_string(*number);
  return made;
}

std::string option_of(std::string_view key) {
  std::string option(key);
  for (char& c : option) c = c == '_' ? '-' : c;
  return option;
}

}  // namespace

std::optional<std::int64_t> parse_duration(std::string_view text) {
  const auto unit = text.find_first_not_of("0123456789");
  const auto number = parse_whole(text.substr(0, unit));
  if (!number || *number > 1'000'000'000) return std::nullopt;
  const std::string_view name = unit == std::string_view::npos ? "s" : text.substr(unit);
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kUnits = {
      {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
  for (const auto& [known, factor] : kUnits) {
    if (name == known) return *number * factor;
  }
  return std::nullopt;
}

Outcome<ProjectFile> parse_project_file(std::string_view text, std::string_view name) {
  const auto entries = read_toml(text);
  if (!entries) return wrong_usage(fmt::format("{}, {}", name, entries.error()));
  ProjectFile file;
  for (const auto& entry : *entries) {
    const std::string option = option_of(entry.key);
    if (entry.table == "env") {
      if (!file.options.env) file.options.env.emplace();
      (*file.options.env)[entry.key] = entry.value;
    } else if (entry.table.empty() && entry.key == "url") {
      file.url = entry.value;
    } else if (entry.table.empty() && std::ranges::find(kSettings, option, &Setting::option) != kSettings.end()) {
      file.options.values[option] = entry.value;
    } else if (entry.key == "key" || entry.key == "api_key") {
      return wrong_usage(fmt::format("{}, line {}: keys do not belong beside code.", name, entry.line),
                         "infra login URL");
    } else {
      return wrong_usage(fmt::format(
          "{}, line {}: there is no setting {}{}{}; there are url, name, runtime, memory, timeout, network, keep_warm, "
          "max_concurrency, description and the table [env].",
          name, entry.line, entry.table, entry.table.empty() ? "" : ".", entry.key));
    }
  }
  return file;
}

Outcome<ProjectFile> read_project_file(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kProjectFile;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR) return ProjectFile{};
    return wrong_usage(fmt::format("{} can't be read: {}.", path.string(), std::strerror(errno)));
  }
  std::ostringstream text;
  text << file.rdbuf();
  return parse_project_file(text.str(), path.lexically_normal().string());
}

Outcome<FunctionOptions> with_arguments(FunctionOptions options, const Arguments& arguments) {
  for (const auto& setting : kSettings) {
    if (auto value = arguments.value(fmt::format("--{}", setting.option)))
      options.values[std::string(setting.option)] = std::move(*value);
  }
  for (const auto& pair : arguments.values("--env")) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0)
      return wrong_usage(fmt::format("--env needs NAME=VALUE, not \"{}\".", pair));
    if (!options.env) options.env.emplace();
    (*options.env)[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return options;
}

Outcome<std::vector<ApiSetting>> api_settings(const FunctionOptions& options) {
  std::vector<ApiSetting> settings;
  for (const auto& setting : kSettings) {
    const auto value = options.values.find(setting.option);
    if (value == options.values.end()) continue;
    auto made = to_api(setting, value->second);
    if (!made) return failed(std::move(made.error()));
    settings.push_back(std::move(*made));
  }
  if (options.env) {
    std::string json = "{";
    for (const auto& [name, value] : *options.env) {
      if (json.size() > 1) json += ',';
      json += json_quote(name) + ":" + json_quote(value);
    }
    settings.push_back({.name = "envVars", .value = json + "}", .is_json = true});
  }
  return settings;
}

}  // namespace infra::cli
