// infra describe, update, advice and remove: one function, without its code.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <iostream>

#include "cli/json_view.h"
#include "cli/run_commands.h"
#include "cli/session.h"
#include "core/json_text.h"
#include "core/json_value.h"

namespace infra::cli {
namespace {

// A member as a line of what a function is.
struct Line {
  std::string_view label;
  std::string_view member;
  std::string_view unit{};
};

constexpr std::array kDescription = {
    Line{"name", "name"},
    Line{"id", "functionId"},
    Line{"description", "description"},
    Line{"runtime", "runtime"},
    Line{"memory", "memoryMb", " MB"},
    Line{"network", "network"},
    Line{"kept warm", "keepWarm"},
    Line{"runs at once", "maxConcurrency", " at most"},
    Line{"runs so far", "invocations"},
    Line{"average", "avgDuration", " ms"},
    Line{"of that its own", "avgHandlerDuration", " ms"},
    Line{"uploaded", "uploadedAt"},
    Line{"updated", "updatedAt"},
    Line{"quarantined until", "quarantinedUntil"},
};

std::string settings_json(const std::vector<ApiSetting>& settings) {
  std::string json;
  for (const auto& setting : settings) {
    const bool as_it_is = setting.is_number || setting.is_json;
    json += fmt::format("{}{}:{}", json.empty() ? "" : ",", json_quote(setting.name),
                        as_it_is ? setting.value : json_quote(setting.value));
  }
  return json;
}

// A line a variable; one whose value is not shown has its name alone.
void append_environment(Rows& rows, const boost::json::object& function) {
  const auto* const env = function.if_contains("envVars");
  if (env == nullptr || !env->is_object()) return;
  for (const auto& [name, value] : env->get_object()) {
    const std::string line = value.is_string()
                                 ? fmt::format("{}={}", std::string_view(name), value.get_string().c_str())
                                 : std::string(name);
    rows.push_back({"environment", printable(line, false)});
  }
}

}  // namespace

Outcome<Exit> run_describe(Session& session) {
  auto api = session.connect();
  if (!api) return failed(std::move(api.error()));
  const std::string_view query = session.arguments.has("--show-env") ? "?showEnv=true" : "";
  const auto answer = (*api)->get(function_path(session.arguments.word(0)).append(query));
  if (!answer) return failed(answer.error());
  const auto* object = answer->json.if_object();
  if (session.output.json() || object == nullptr) {
    session.output.print(answer->text);
    return Exit::ok;
  }
  Rows rows;
  for (const auto& line : kDescription) {
    const std::string value = shown(*object, line.member);
    const bool is_no_limit = line.member == "maxConcurrency" && value == "0";
    if (value == "-" || value.empty() || is_no_limit) continue;
    rows.push_back({std::string(line.label), printable(value, false) + std::string(line.unit)});
  }
  append_environment(rows, *object);
  session.output.print(table_text(rows));
  return Exit::ok;
}

Outcome<Exit> run_update(Session& session) {
  const auto options = with_arguments({}, session.arguments);
  if (!options) return failed(options.error());
  const auto settings = api_settings(*options);
  if (!settings) return failed(settings.error());
  std::string body = settings_json(*settings);
  if (session.arguments.has("--claim")) body += fmt::format("{}\"claim\":true", body.empty() ? "" : ",");
  if (body.empty()) return wrong_usage("Nothing is to be changed.", "infra update --help");
  auto api = session.connect();
  if (!api) return failed(std::move(api.error()));
  const auto answer = (*api)->ask("PUT", function_path(session.arguments.word(0)), "{" + body + "}");
  if (!answer) return failed(answer.error());
  session.output.print(session.output.json() ? answer->text : "updated " + session.arguments.word(0));
  return Exit::ok;
}

Outcome<Exit> run_advice(Session& session) {
  auto api = session.connect();
  if (!api) return failed(std::move(api.error()));
  const std::string name = session.arguments.word(0);
  const bool apply = session.arguments.has("--apply");
  const auto answer = (*api)->ask(apply ? "PUT" : "GET", function_path(name) + "/advice");
  if (!answer) return failed(answer.error());
  const auto* object = answer->json.if_object();
  if (session.output.json() || object == nullptr) {
    session.output.print(answer->text);
  } else if (apply) {
    session.output.print(fmt::format("{} now has {} MB", name, shown(*object, "memoryMb")));
  } else {
    session.output.print(fmt::format("{}: {}", text_of(*object, "verdict"), shown(*object, "optimizationTip")));
    if (object->contains("apply") && !object->at("apply").is_null())
      session.output.note(fmt::format("next: infra advice {} --apply", name));
  }
  return Exit::ok;
}

Outcome<Exit> run_remove(Session& session) {
  const std::string name = session.arguments.word(0);
  if (!session.arguments.has("--yes")) {
    if (isatty(STDIN_FILENO) != 1)
      return wrong_usage(fmt::format("{} is not removed without being asked.", name),
                         fmt::format("infra remove {} --yes", name));
    session.output.note(fmt::format("Remove {} with its code and logs? Type its name:", name));
    std::string line;
    std::getline(std::cin, line);
    if (line != name) return wrong_usage("Nothing was removed.");
  }
  auto api = session.connect();
  if (!api) return failed(std::move(api.error()));
  const auto answer = (*api)->ask("DELETE", function_path(name));
  if (!answer) return failed(answer.error());
  session.output.print(session.output.json() ? answer->text : "removed " + name);
  return Exit::ok;
}

}  // namespace infra::cli
