// infra list, infra workers and infra models: what there is.
#include <fmt/format.h>

#include "cli/json_view.h"
#include "cli/run_commands.h"
#include "cli/session.h"
#include "core/json_value.h"
#include "core/text.h"

namespace infra::cli {
namespace {

// The next page's path, by the Link header; empty if this was the last.
std::string next_page(const Answer& answer) {
  const std::string_view link = answer.headers.find("Link").value_or("");
  const auto end = link.find('>');
  if (!link.starts_with('<') || end == std::string_view::npos || link.find("rel=\"next\"") == std::string_view::npos)
    return {};
  return std::string(link.substr(1, end - 1));
}

std::string pools_shown(const boost::json::object& worker) {
  std::string text;
  const auto* const pools = worker.if_contains("pools");
  if (pools == nullptr || !pools->is_object()) return "-";
  for (const auto& [runtime, count] : pools->get_object())
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", std::string_view(runtime), boost::json::serialize(count));
  return text;
}

std::string_view inside_brackets(std::string_view array) {
  array = trim(array);
  return array.size() < 2 ? std::string_view() : trim(array.substr(1, array.size() - 2));
}

}  // namespace

Outcome<Exit> run_list(Session& session) {
  auto api = session.connect();
  if (!api) return failed(std::move(api.error()));
  Rows rows = {{"NAME", "RUNTIME", "MEMORY", "RUNS", "AVERAGE", "UPDATED", "ID"}};
  std::string json;
  for (std::string path = "/functions?limit=1000"; !path.empty();) {
    const auto answer = (*api)->get(path);
    if (!answer) return failed(answer.error());
    const std::string_view items = inside_brackets(answer->text);
    if (!items.empty()) json.append(json.empty() ? "" : ",").append(items);
    for_each_object(answer->json, [&](const boost::json::object& row) {
      rows.push_back({text_of(row, "name"), shown(row, "runtime"), shown(row, "memoryMb") + " MB",
                      shown(row, "invocations"), milliseconds_shown(row, "avgDuration"), time_shown(row, "updatedAt"),
                      text_of(row, "functionId")});
    });
    path = next_page(*answer);
  }
  if (session.output.json()) {
    session.output.print("[" + json + "]");
  } else if (rows.size() == 1) {
    session.output.note("There is no function yet.\nnext: infra init python hello && infra deploy hello");
  } else {
    session.output.table(rows);
  }
  return Exit::ok;
}

Outcome<Exit> run_workers(Session& session) {
  auto api = session.connect();
  if (!api) return failed(std::move(api.error()));
  const auto answer = (*api)->get("/workers");
  if (!answer) return failed(answer.error());
  if (session.output.json()) {
    session.output.print(answer->text);
    return Exit::ok;
  }
  Rows rows = {{"WORKER", "STATUS", "HEALTH", "ACTIVE JOBS", "WAITING", "UP FOR", "LAST SEEN"}};
  if (const auto* object = answer->json.if_object(); object != nullptr && object->contains("workers")) {
    for_each_object(object->at("workers"), [&](const boost::json::object& row) {
      rows.push_back({shown(row, "workerId"), shown(row, "status"), shown(row, "healthStatus"),
                      shown(row, "activeJobs"), pools_shown(row), shown(row, "uptimeSeconds") + " s",
                      shown(row, "lastSeenAgo")});
    });
  }
  session.output.table(rows);
  return Exit::ok;
}

Outcome<Exit> run_models(Session& session) {
  auto api = session.connect();
  if (!api) return failed(std::move(api.error()));
  const auto answer = (*api)->get("/models");
  if (!answer) return failed(answer.error());
  if (session.output.json()) {
    session.output.print(answer->text);
    return Exit::ok;
  }
  Rows rows = {{"MODEL", "SIZE", "STATUS"}};
  const auto* object = answer->json.if_object();
  if (object != nullptr && object->contains("models")) {
    for_each_object(object->at("models"), [&](const boost::json::object& row) {
      const auto size = number_of(row, "size");
      rows.push_back({shown(row, "id"), size ? size_text(*size) : shown(row, "size"), shown(row, "status")});
    });
  }
  session.output.table(rows);
  if (object != nullptr && !text_of(*object, "warning").empty())
    session.output.note("note: " + printable(text_of(*object, "warning"), false));
  return Exit::ok;
}

}  // namespace infra::cli
