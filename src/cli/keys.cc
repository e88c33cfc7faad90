// infra keys: keys beside the master key, each for somebody, with what it may do.
#include <fmt/format.h>

#include <charconv>

#include "cli/json_view.h"
#include "cli/run_commands.h"
#include "cli/session.h"
#include "core/json_text.h"
#include "core/json_value.h"
#include "core/time.h"
#include "net/http/http_types.h"

namespace infra::cli {
namespace {

constexpr std::string_view kHelp = "infra keys --help";

std::string words_of(const boost::json::object& row, std::string_view name) {
  const auto* const array = row.if_contains(name);
  if (array == nullptr || !array->is_array()) return "all";
  std::string text;
  for (const auto& word : array->get_array()) {
    if (word.is_string()) text.append(text.empty() ? "" : " ").append(std::string_view(word.get_string()));
  }
  return text;
}

std::string state_of(const boost::json::object& row) {
  const auto* const revoked = row.if_contains("revoked");
  if (revoked != nullptr && revoked->is_bool() && revoked->get_bool()) return "revoked";
  const auto* const secrets = row.if_contains("secrets");
  return secrets != nullptr && secrets->is_int64() && secrets->get_int64() == 2 ? "two secrets" : "valid";
}

std::string_view show_or_never(const boost::json::object& row, std::string_view name, std::string& text) {
  text = time_shown(row, name);
  return text == "-" ? std::string_view("never") : std::string_view(text);
}

Outcome<Exit> list(const Session& session, Api& api) {
  const auto answer = api.get("/keys");
  if (!answer) return failed(answer.error());
  if (session.output.json()) {
    session.output.print(answer->text);
    return Exit::ok;
  }
  Rows rows = {{"ID", "NAME", "SCOPES", "FUNCTIONS", "STATE", "EXPIRES", "LAST USED"}};
  if (const auto* object = answer->json.if_object(); object != nullptr && object->contains("keys")) {
    for_each_object(object->at("keys"), [&](const boost::json::object& row) {
      std::string expires;
      std::string used;
      rows.push_back({text_of(row, "id"), printable(text_of(row, "name"), false), words_of(row, "scopes"),
                      words_of(row, "functions"), state_of(row), std::string(show_or_never(row, "expiresAt", expires)),
                      std::string(show_or_never(row, "lastUsedAt", used))});
    });
  }
  if (rows.size() == 1) {
    session.output.note("There is no key beside the master key yet.\nnext: infra keys create ci --scope invoke");
  } else {
    session.output.table(rows);
  }
  return Exit::ok;
}

// A function by its id, which a key is limited to whatever its name becomes.
Outcome<std::string> id_of(Api& api, std::string_view name_or_id) {
  std::string referred = reference(name_or_id);
  if (!referred.starts_with("name:")) return referred;
  const auto answer = api.get(function_path(name_or_id));
  if (!answer) return failed(answer.error());
  const auto* const object = answer->json.if_object();
  return object == nullptr ? std::string() : text_of(*object, "functionId");
}

std::string strings_json(const std::vector<std::string>& words) {
  return json_array(words, [](const std::string& word) { return json_quote(word); });
}

Outcome<std::string> wanted_json(const Session& session, Api& api) {
  const auto& arguments = session.arguments;
  const auto scopes = arguments.values("--scope");
  if (scopes.empty())
    return wrong_usage("A key needs at least one --scope: invoke, read, deploy or admin.", std::string(kHelp));
  std::string body = fmt::format(R"({{"name":{},"scopes":{})", json_quote(arguments.word(1)), strings_json(scopes));
  std::vector<std::string> functions;
  for (const auto& name : arguments.values("--function")) {
    auto id = id_of(api, name);
    if (!id) return failed(id.error());
    functions.push_back(std::move(*id));
  }
  if (!functions.empty()) body += R"(,"functions":)" + strings_json(functions);
  if (const auto rate = arguments.value("--rate")) {
    int limit = 0;
    const auto [end, error] = std::from_chars(rate->data(), rate->data() + rate->size(), limit);
    if (error != std::errc{} || end != rate->data() + rate->size() || limit < 1)
      return wrong_usage("--rate is a whole number of requests in the platform's window.", std::string(kHelp));
    body += fmt::format(R"(,"rateLimit":{})", limit);
  }
  if (const auto expires = arguments.value("--expires")) {
    if (!parse_iso8601(*expires))
      return wrong_usage("--expires is a time in ISO 8601, as 2027-01-31 or 2027-01-31T12:00:00Z.", std::string(kHelp));
    body += fmt::format(R"(,"expiresAt":{})", json_quote(*expires));
  }
  return body + "}";
}

// The key itself to stdout, so that a script can keep it; all else to stderr.
Outcome<Exit> tell(const Session& session, const Outcome<Answer>& answer, std::string_view more) {
  if (!answer) return failed(answer.error());
  const auto* const object = answer->json.if_object();
  if (session.output.json() || object == nullptr) {
    session.output.print(answer->text);
    return Exit::ok;
  }
  session.output.note(fmt::format("key {}: {}", text_of(*object, "id"), words_of(*object, "scopes")));
  session.output.print(text_of(*object, "key"));
  session.output.note("Keep it now: it is shown this once, and nobody can look it up.");
  if (!more.empty()) session.output.note(more);
  return Exit::ok;
}

std::string path_of(std::string_view id, std::string_view rest = "") {
  return fmt::format("/keys/{}{}", net::percent_encode(id), rest);
}

}  // namespace

Outcome<Exit> run_keys(Session& session) {
  const auto& arguments = session.arguments;
  const std::string action = arguments.word(0).empty() ? "list" : arguments.word(0);
  const bool needs_more = action == "create" || action == "rotate" || action == "revoke";
  if (!needs_more && action != "list") {
    return wrong_usage(
        fmt::format("There is no \"{}\" of keys; list, create, rotate and revoke are.", printable(action)),
        std::string(kHelp));
  }
  const std::string id = arguments.word(1);
  if (needs_more != !id.empty()) {
    return wrong_usage(needs_more
                           ? fmt::format("infra keys {} needs {}.", action, action == "create" ? "a NAME" : "an ID")
                           : "infra keys list takes nothing more.",
                       std::string(kHelp));
  }
  auto api = session.connect();
  if (!api) return failed(std::move(api.error()));
  if (action == "list") return list(session, **api);
  if (action == "create") {
    auto body = wanted_json(session, **api);
    if (!body) return failed(body.error());
    return tell(session, (*api)->ask("POST", "/keys", std::move(*body)), "");
  }
  if (action == "rotate" && !arguments.has("--drop-old")) {
    return tell(session, (*api)->ask("POST", path_of(id, "/rotate")),
                fmt::format("The one before goes on until: infra keys rotate {} --drop-old", id));
  }
  const bool drops = action == "rotate";
  const auto answer = (*api)->ask("DELETE", path_of(id, drops ? "/secrets/old" : ""));
  if (!answer) return failed(answer.error());
  if (session.output.json()) {
    session.output.print(answer->text);
  } else {
    session.output.print(drops ? fmt::format("{} has its newer secret alone", id) : fmt::format("revoked {}", id));
  }
  return Exit::ok;
}

}  // namespace infra::cli
