#include "http/functions_handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/duration.h"
#include "core/error_codes.h"
#include "core/json_text.h"
#include "core/page_cursor.h"
#include "http/error_response.h"
#include "http/function_form.h"
#include "http/json_fields.h"
#include "http/query.h"

namespace infra::http {
namespace {

constexpr int kMaxPage = 1000;
constexpr std::uint64_t kMaxChangeBytes = limits::kMiB;

double average(double total, std::int64_t count) {
  return count > 0 ? total / static_cast<double>(count) : 0;
}

enum class Env : std::uint8_t { names, values };  // what is shown of it

// `"envVars":{"NAME":null}`
std::string environment_json(const Function& f, Env shown) {
  std::string members;
  for (const auto& [name, value] : f.env) {
    members += fmt::format("{}{}:{}", members.empty() ? "" : ",", json_quote(name),
                           shown == Env::values ? json_quote(value) : "null");
  }
  return fmt::format(R"("envVars":{{{}}})", members);
}

// What the audit keeps of it.
std::string state_of(const Function& f) {
  std::string json = "{";
  for (const auto& field : setting_fields()) {
    if (field.type() != SettingType::environment) append_json_member(json, field, f);
  }
  return json + environment_json(f, Env::names) + fmt::format(R"(,"codeSha256":{}}})", json_quote(f.code.sha256));
}

std::string to_json(const Function& f) {
  std::string json = fmt::format(R"({{"functionId":{0},"id":{0},)", json_quote(f.id.value));
  for (const auto& field : setting_fields()) {
    if (field.shown) append_json_member(json, field, f);
  }
  return json +
         fmt::format(
             R"("invocations":{},"avgDuration":{},"avgHandlerDuration":{},"uploadedAt":"{}","updatedAt":"{}","s3Key":{}}})",
             f.invocations, whole_ms(average(f.total_duration_ms, f.invocations)),
             f.handler_invocations > 0 ? json_number(average(f.total_handler_ms, f.handler_invocations)) : "null",
             to_iso8601(f.uploaded_at), to_iso8601(f.updated_at), json_quote(f.code.key));
}

net::Response uploaded(const Function& function, std::string_view more) {
  return json_response(
      200,
      fmt::format(R"({{"success":true,"functionId":{},"name":{},"runtime":"{}","memoryMb":{},"codeSha256":"{}"{}}})",
                  json_quote(function.id.value), json_quote(function.name), to_string(function.runtime),
                  function.memory_mb, function.code.sha256, more));
}

// Values are for those who could set them, and only where they ask.
Result<Env> wanted_env(const Context& context) {
  const auto show = net::query_value(context.request.query, "showEnv").value_or("false");
  if (show == "false") return Env::names;
  if (show != "true") return fail(errors::invalid_env_vars, "showEnv must be true or false.");
  if (!context.key || context.key->scopes.allow(Scope::deploy)) return Env::values;
  return fail(errors::key_not_allowed,
              fmt::format("The key {} lacks the scope deploy, which showEnv=true needs.", context.key->id));
}

// A page's functions of a key that is for certain ones, read one by one: there are a hundred at most.
Task<Result<FunctionPage>> own_page(FunctionStore& functions, const FunctionList& own, int limit, std::string cursor) {
  constexpr std::string_view kOwn = "own";
  FunctionPage page;
  auto next = own.begin();
  if (!cursor.empty()) {
    const auto after = read_cursor(kOwn, 1, cursor);
    if (!after) co_return fail(after.error());
    next = std::ranges::upper_bound(own, FunctionId{after->front()});
  }
  for (; next != own.end(); ++next) {
    if (std::cmp_equal(page.functions.size(), limit)) {
      page.next_cursor = make_cursor(kOwn, {page.functions.back().id.value});
      break;
    }
    auto found = co_await functions.find(*next);
    if (found) {
      page.functions.push_back(std::move(*found));
    } else if (found.error().kind != ErrorKind::not_found) {
      co_return fail(found.error());
    }
  }
  co_return page;
}

Error no_bundle() {
  return {errors::file_missing, "The form has no file; send the ZIP in the form field \"file\"."};
}

}  // namespace

Task<Result<net::Response>> FunctionsHandler::upload(Context& context) {
  auto form = co_await read_form(context.request, staging_);
  if (!form) co_return fail(form.error());
  if (!form->bundle) co_return fail(no_bundle());
  auto wanted = new_function(context.request.headers, *form);
  if (!wanted) co_return fail(wanted.error());
  wanted->sender = context.client;
  wanted->only = context.own_functions();
  const auto by_name = is_deployment(*form, *wanted);
  if (!by_name) co_return fail(by_name.error());
  if (*by_name) {
    const auto deployed = co_await by_name_.deploy(std::move(*wanted), std::move(form->bundle));
    if (!deployed) co_return fail(deployed.error());
    context.function = deployed->function.id;
    context.audit.after = state_of(deployed->function);
    co_return uploaded(deployed->function,
                       deployed->created ? R"(,"deployed":"created")" : R"(,"deployed":"replaced")");
  }
  if (wanted->only != nullptr) co_return fail(function_not_allowed());
  const auto created = co_await deploy_.create(std::move(*wanted), std::move(form->bundle));
  if (!created) co_return fail(created.error());
  context.function = created->id;
  context.audit.after = state_of(*created);
  co_return uploaded(*created, "");
}

Task<Result<net::Response>> FunctionsHandler::list(Context& context) {
  const auto limit = read_limit(context.request, kMaxPage, kMaxPage);
  if (!limit) co_return fail(limit.error());
  std::string cursor = net::query_value(context.request.query, "cursor").value_or("");
  const FunctionList* const own = context.own_functions();
  const auto page = own == nullptr ? co_await functions_.list(*limit, cursor)
                                   : co_await own_page(functions_, *own, *limit, std::move(cursor));
  if (!page) co_return fail(page.error());
  auto response = json_response(200, json_array(page->functions, to_json));
  link_next(response, context, page->next_cursor);
  co_return response;
}

Task<Result<net::Response>> FunctionsHandler::get(Context& context) {
  const auto id = path_function(context);
  if (!id) co_return fail(id.error());
  const auto env = wanted_env(context);
  if (!env) co_return fail(env.error());
  const auto function = co_await functions_.find(*id);
  if (!function) co_return fail(function.error());
  if (*env == Env::values) {
    if (auto told = co_await tell_of_look(context); !told) co_return fail(told.error());
  }
  std::string json = to_json(*function);
  json.insert(json.size() - 1, "," + environment_json(*function, *env));
  const auto quarantine = quarantine_ == nullptr ? std::nullopt : quarantine_->remaining(*id, function->code);
  if (quarantine) {
    json.insert(json.size() - 1, fmt::format(R"(,"quarantinedUntil":"{}")", to_iso8601(clock_.now() + *quarantine)));
  }
  co_return json_response(200, std::move(json));
}

// Who looks at an environment's values leaves a trace, before it sees them.
Task<Result<void>> FunctionsHandler::tell_of_look(const Context& context) {
  app::AuditEntry entry{.key = std::string(context.caller()),
                        .action = "function.show_env",
                        .target = context.function.value,
                        .request = context.id.value};
  if (auto begun = co_await audit_.begin(entry); !begun) co_return begun;
  entry.outcome = "done";
  co_await audit_.end(std::move(entry));
  co_return Result<void>{};
}

Task<Result<net::Response>> FunctionsHandler::update(Context& context) {
  const auto id = path_function(context);
  if (!id) co_return fail(id.error());
  // Before the body: a bundle for a function that is not there need not travel.
  const auto known = co_await functions_.find(*id);
  if (!known) co_return fail(known.error());
  context.audit.before = state_of(*known);

  Result<WantedChange> change;
  std::unique_ptr<StagedFile> bundle;
  if (is_json(context.request.headers)) {
    const auto body = co_await read_json_body(context.request, kMaxChangeBytes);
    if (!body) co_return fail(body.error());
    change = change_from_json(*body);
  } else {
    auto form = co_await read_form(context.request, staging_);
    if (!form) co_return fail(form.error());
    change = change_from_form(context.request.headers, *form);
    bundle = std::move(form->bundle);
  }
  if (!change) co_return fail(change.error());
  const bool claim = change->claim;
  if (auto done = co_await by_name_.update(*id, std::move(*change), std::move(bundle), context.client, claim); !done)
    co_return fail(done.error());
  if (audit_.possible()) {
    if (const auto changed = co_await functions_.find_current(*id)) context.audit.after = state_of(*changed);
  }
  co_return json_response(200, fmt::format(R"({{"success":true,"functionId":{}}})", json_quote(id->value)));
}

Task<Result<net::Response>> FunctionsHandler::remove(Context& context) {
  const auto id = path_function(context);
  if (!id) co_return fail(id.error());
  if (audit_.possible()) {
    if (const auto known = co_await functions_.find(*id)) context.audit.before = state_of(*known);
  }
  if (auto done = co_await by_name_.remove(*id); !done) co_return fail(done.error());
  co_return json_response(200, fmt::format(R"({{"success":true,"deletedId":{}}})", json_quote(id->value)));
}

}  // namespace infra::http
