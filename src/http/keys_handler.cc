#include "http/keys_handler.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "core/error_codes.h"
#include "core/json_text.h"
#include "core/limits.h"
#include "core/page_cursor.h"
#include "core/text.h"
#include "http/error_response.h"
#include "http/json_fields.h"
#include "http/query.h"

namespace infra::http {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kMaxKeyBytes = 64 * 1024;
constexpr int kStandardPage = 100;
constexpr int kMaxPage = 1000;
constexpr std::string_view kCursor = "audit";

std::string text_json(std::string_view text) {
  return json_quote(replace_invalid_utf8(text));
}

std::string time_json(const std::optional<WallTime>& time) {
  return time ? fmt::format("\"{}\"", to_iso8601(*time)) : "null";
}

std::string scopes_json(const Scopes& scopes) {
  return json_array(scopes.names(), [](std::string_view name) { return json_quote(name); });
}

std::string functions_json(const FunctionList* functions) {
  return functions == nullptr ? "null"
                              : json_array(*functions, [](const FunctionId& id) { return json_quote(id.value); });
}

// Without the closing brace.
std::string open_json(const app::Keys& keys, const ApiKey& key) {
  return fmt::format(
      R"({{"id":{},"name":{},"scopes":{},"functions":{},"rateLimit":{},"expiresAt":{},"createdAt":{},"lastUsedAt":{},)"
      R"("revoked":{},"secrets":{},"signs":{})",
      json_quote(key.id), text_json(key.name), scopes_json(key.scopes),
      functions_json(key.functions ? &*key.functions : nullptr),
      key.rate_limit ? std::to_string(*key.rate_limit) : "null", time_json(key.expires_at), time_json(key.created_at),
      time_json(key.last_used_at), key.revoked_at.has_value(), key.old_digest.empty() ? 1 : 2, keys.can_sign(key));
}

std::string key_json(const app::Keys& keys, const ApiKey& key) {
  return open_json(keys, key) + "}";
}

net::Response told(const app::Keys& keys, int status, const app::ToldKey& key) {
  return json_response(status, open_json(keys, key.key) + fmt::format(R"(,"key":{}}})", json_quote(key.text)));
}

std::unexpected<Error> invalid(std::string_view sentence) {
  return fail(errors::invalid_key, std::string(sentence));
}

Result<Scopes> read_scopes(const json::value& value) {
  constexpr std::string_view kRule = "scopes must be an array of invoke, read, deploy and admin, at least one.";
  const auto* const names = value.if_array();
  if (names == nullptr) return invalid(kRule);
  Scopes scopes;
  for (const auto& name : *names) {
    if (!name.is_string() || !scopes.add_named(std::string_view(name.get_string()))) return invalid(kRule);
  }
  return scopes;
}

Result<FunctionList> read_functions(const json::value& value) {
  const auto* const ids = value.if_array();
  FunctionList functions;
  if (ids != nullptr) {
    for (const auto& id : *ids) {
      if (!id.is_string()) return invalid("functions must be an array of functions' ids.");
      functions.push_back({std::string(id.get_string())});
    }
  }
  if (functions.empty()) return invalid("functions must be an array of functions' ids; null or absent is all of them.");
  return functions;
}

Result<void> read_field(app::WantedKey& wanted, std::string_view name, const json::value& value) {
  if (name == "name") {
    if (!value.is_string()) return invalid("name must be a string.");
    wanted.name = value.get_string();
  } else if (name == "scopes") {
    auto scopes = read_scopes(value);
    if (!scopes) return fail(scopes.error());
    wanted.scopes = *scopes;
  } else if (value.is_null()) {
    return {};
  } else if (name == "functions") {
    auto functions = read_functions(value);
    if (!functions) return fail(functions.error());
    wanted.functions = std::move(*functions);
  } else if (name == "rateLimit") {
    const auto* const limit = value.if_int64();
    if (limit == nullptr || *limit < 1 || *limit > limits::kMaxKeyRate) {
      return fail(errors::invalid_key,
                  fmt::format("rateLimit must be a whole number from 1 to {}, or null.", limits::kMaxKeyRate));
    }
    wanted.rate_limit = static_cast<int>(*limit);
  } else if (name == "expiresAt") {
    wanted.expires_at = value.is_string() ? parse_iso8601(value.get_string()) : std::nullopt;
    if (!wanted.expires_at) return invalid("expiresAt must be a time in ISO 8601, as 2027-01-31T00:00:00Z, or null.");
  } else {
    return fail(errors::invalid_key,
                fmt::format("{} is no field of a key: name, scopes, functions, rateLimit and expiresAt are.",
                            replace_invalid_utf8(cut_utf8(name, 64))));
  }
  return {};
}

Result<app::WantedKey> read_wanted(const json::object& object) {
  app::WantedKey wanted;
  for (const auto& member : object) {
    if (auto ok = read_field(wanted, member.key(), member.value()); !ok) return fail(ok.error());
  }
  return wanted;
}

// For the audit's entry: the key, as it is after the change.
void note_change(Context& context, const app::Keys& keys, const ApiKey& key) {
  context.audit.target = key.id;
  context.audit.after = key_json(keys, key);
}

// A change's state is JSON already.
std::string_view state_json(const std::string& state) {
  return state.empty() ? std::string_view("null") : std::string_view(state);
}

std::string entry_json(const app::AuditEntry& entry) {
  return fmt::format(
      R"({{"at":"{}","key":{},"action":{},"target":{},"before":{},"after":{},"requestId":{},"outcome":{}}})",
      to_iso8601(entry.at), text_json(entry.key), text_json(entry.action),
      entry.target.empty() ? "null" : text_json(entry.target), state_json(entry.before), state_json(entry.after),
      text_json(entry.request), text_json(entry.outcome));
}

}  // namespace

Task<Result<net::Response>> KeysHandler::list(Context&) {
  const auto keys = co_await keys_.list();
  if (!keys) co_return fail(keys.error());
  co_return json_response(
      200,
      fmt::format(R"({{"keys":{}}})", json_array(*keys, [this](const ApiKey& key) { return key_json(keys_, key); })));
}

Task<Result<net::Response>> KeysHandler::make(Context& context) {
  if (!is_json(context.request.headers))
    co_return fail(errors::unsupported_media_type, "Send the body as Content-Type: application/json.");
  const auto body = co_await read_json_body(context.request, kMaxKeyBytes);
  if (!body) co_return fail(body.error());
  const auto object = read_object(*body);
  if (!object) co_return fail(object.error());
  auto wanted = read_wanted(*object);
  if (!wanted) co_return fail(wanted.error());
  const auto made = co_await keys_.make(std::move(*wanted));
  if (!made) co_return fail(made.error());
  note_change(context, keys_, made->key);
  co_return told(keys_, 201, *made);
}

Task<Result<net::Response>> KeysHandler::rotate(Context& context) {
  const auto rotated = co_await keys_.rotate(context.param("id"));
  if (!rotated) co_return fail(rotated.error());
  note_change(context, keys_, rotated->key);
  co_return told(keys_, 200, *rotated);
}

Task<Result<net::Response>> KeysHandler::drop_old(Context& context) {
  const auto changed = co_await keys_.drop_old(context.param("id"));
  if (!changed) co_return fail(changed.error());
  note_change(context, keys_, *changed);
  co_return json_response(200, key_json(keys_, *changed));
}

Task<Result<net::Response>> KeysHandler::revoke(Context& context) {
  const auto revoked = co_await keys_.revoke(context.param("id"));
  if (!revoked) co_return fail(revoked.error());
  note_change(context, keys_, *revoked);
  co_return json_response(200, fmt::format(R"({{"success":true,"deletedId":{}}})", json_quote(revoked->id)));
}

Task<Result<net::Response>> KeysHandler::whoami(Context& context) {
  const Scopes scopes = context.key ? context.key->scopes : Scopes(Scope::admin);
  co_return json_response(
      200, fmt::format(R"({{"key":{},"name":{},"scopes":{},"functions":{}}})", json_quote(context.caller()),
                       context.key ? text_json(context.key->name) : R"("master")", scopes_json(scopes),
                       functions_json(context.own_functions())));
}

Task<Result<net::Response>> KeysHandler::audit(Context& context) {
  const auto limit = read_limit(context.request, kStandardPage, kMaxPage);
  if (!limit) co_return fail(limit.error());
  std::string after;
  if (const auto cursor = net::query_value(context.request.query, "cursor"); cursor && !cursor->empty()) {
    const auto read = read_cursor(kCursor, 1, *cursor);
    if (!read) co_return fail(read.error());
    after = read->front();
  }
  const auto page = co_await audit_.list(std::move(after), *limit);
  if (!page) co_return fail(page.error());
  auto response = json_response(200, fmt::format(R"({{"entries":{}}})", json_array(page->entries, entry_json)));
  if (!page->next.empty()) link_next(response, context, make_cursor(kCursor, {page->next}));
  co_return response;
}

}  // namespace infra::http
