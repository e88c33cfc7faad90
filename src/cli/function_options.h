// A function's settings as people write them, in options and in infra.toml beside the code, and as the API takes them.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/arguments.h"
#include "cli/failure.h"

namespace infra::cli {

inline constexpr std::string_view kProjectFile = "infra.toml";
inline constexpr std::string_view kEventFile = "event.json";

struct FunctionOptions {
  std::map<std::string, std::string, std::less<>> values;  // by the option's name without its dashes: "keep-warm"
  std::optional<std::map<std::string, std::string>> env;   // nullopt: nothing names it
};

// infra.toml.
struct ProjectFile {
  std::string url;  // empty: it has none
  FunctionOptions options;
};

// One that is not there is empty. A failure names the file and the line.
[[nodiscard]] Outcome<ProjectFile> read_project_file(const std::filesystem::path& folder);
[[nodiscard]] Outcome<ProjectFile> parse_project_file(std::string_view text, std::string_view name);

// The options' over `options`; of --env variable by variable.
[[nodiscard]] Outcome<FunctionOptions> with_arguments(FunctionOptions options, const Arguments& arguments);

// A setting by the API's name, and its value as a form has it.
struct ApiSetting {
  std::string name;
  std::string value;
  bool is_number = false;
  bool is_json = false;
};
[[nodiscard]] Outcome<std::vector<ApiSetting>> api_settings(const FunctionOptions& options);

// "30s", "500ms", "5m", "2h", "1d", a bare number in seconds: milliseconds. Nullopt for anything else.
[[nodiscard]] std::optional<std::int64_t> parse_duration(std::string_view text);

}  // namespace infra::cli
