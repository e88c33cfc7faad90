#include "sandbox/protocol/spawner_arguments.h"

#include <charconv>
#include <string_view>

#include "core/operator_error_codes.h"

namespace infra::sandbox {
namespace {

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

template <typename Value>
bool take(Result<Value> parsed, Value& into) {
  if (parsed) into = std::move(*parsed);
  return parsed.has_value();
}

template <typename Value>
bool append(const Result<Value>& parsed, std::vector<Value>& list) {
  if (parsed) list.push_back(*parsed);
  return parsed.has_value();
}

std::string to_text(const EgressOpening& opening) {
  return to_string(opening.range) + (opening.port == 0 ? "" : ":" + std::to_string(opening.port));
}

bool take_option(std::string_view name, std::string_view value, SpawnerOptions& options) {
  if (name == "versions") return options.versions_root = value, true;
  if (name == "runners") return options.runners = value, true;
  if (name == "native") return options.native_runner = value, true;
  if (name == "packages") return options.python_packages = value, true;
  if (name == "zygote") return options.zygote_library = value, true;
  if (name == "forks") return parse_number(value, options.zygote_term.forks);
  if (name == "slots") return parse_number(value, options.slots);
  if (name == "uid") return parse_number(value, options.base_uid);
  if (name == "subnet") return take(parse_ipv4_range(value), options.egress.subnet);
  if (name == "allow") return append(parse_egress_opening(value), options.egress.allow);
  if (name == "block") return append(parse_ipv4_range(value), options.egress.block);
  if (name == "file") return options.files.emplace_back(value), true;
  if (name == "only") return options.only_files = value == "files";
  if (name == "resolver") return append(parse_ipv4(value), options.egress.resolvers);
  return false;
}

}  // namespace

std::vector<std::string> to_arguments(const SpawnerOptions& options) {
  std::vector<std::string> arguments{
      "versions=" + options.versions_root.string(),        "runners=" + options.runners.string(),
      "native=" + options.native_runner.string(),          "zygote=" + options.zygote_library.string(),
      "packages=" + options.python_packages.string(),      "slots=" + std::to_string(options.slots),
      "uid=" + std::to_string(options.base_uid),           "subnet=" + to_string(options.egress.subnet),
      "forks=" + std::to_string(options.zygote_term.forks)};
  for (const auto& opening : options.egress.allow) arguments.push_back("allow=" + to_text(opening));
  for (const auto& range : options.egress.block) arguments.push_back("block=" + to_string(range));
  for (const auto resolver : options.egress.resolvers) arguments.push_back("resolver=" + to_string(resolver));
  for (const auto& file : options.files) arguments.push_back("file=" + file.string());
  if (options.only_files) arguments.emplace_back("only=files");
  return arguments;
}

Result<SpawnerOptions> parse_arguments(std::span<const char* const> arguments) {
  SpawnerOptions options;
  for (const std::string_view argument : arguments) {
    const auto equals = argument.find('=');
    if (equals == std::string_view::npos ||
        !take_option(argument.substr(0, equals), argument.substr(equals + 1), options)) {
      return fail(errors::invalid_spawner_options, "the argument " + std::string(argument) + " is not a spawner's");
    }
  }
  return options;
}

}  // namespace infra::sandbox
