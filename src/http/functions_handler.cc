#include "http/functions_handler.h"

#include <fmt/format.h>

#include "core/duration.h"
#include "core/error_codes.h"
#include "core/json_text.h"
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
  const auto by_name = is_deployment(*form, *wanted);
  if (!by_name) co_return fail(by_name.error());
  if (*by_name) {
    const auto deployed = co_await by_name_.deploy(std::move(*wanted), std::move(form->bundle));
    if (!deployed) co_return fail(deployed.error());
    context.function = deployed->function.id;
    co_return uploaded(deployed->function,
                       deployed->created ? R"(,"deployed":"created")" : R"(,"deployed":"replaced")");
  }
  const auto created = co_await deploy_.create(std::move(*wanted), std::move(form->bundle));
  if (!created) co_return fail(created.error());
  context.function = created->id;
  co_return uploaded(*created, "");
}

Task<Result<net::Response>> FunctionsHandler::list(Context& context) {
  const auto limit = read_limit(context.request, kMaxPage, kMaxPage);
  if (!limit) co_return fail(limit.error());
  const auto page = co_await functions_.list(*limit, net::query_value(context.request.query, "cursor").value_or(""));
  if (!page) co_return fail(page.error());
  auto response = json_response(200, json_array(page->functions, to_json));
  link_next(response, context, page->next_cursor);
  co_return response;
}

Task<Result<net::Response>> FunctionsHandler::get(Context& context) {
  const auto id = path_function(context);
  if (!id) co_return fail(id.error());
  const auto function = co_await functions_.find(*id);
  if (!function) co_return fail(function.error());
  std::string json = to_json(*function);
  const auto quarantine = quarantine_ == nullptr ? std::nullopt : quarantine_->remaining(*id, function->code);
  if (quarantine) {
    json.insert(json.size() - 1, fmt::format(R"(,"quarantinedUntil":"{}")", to_iso8601(clock_.now() + *quarantine)));
  }
  co_return json_response(200, std::move(json));
}

Task<Result<net::Response>> FunctionsHandler::update(Context& context) {
  const auto id = path_function(context);
  if (!id) co_return fail(id.error());
  // Before the body: a bundle for a function that is not there need not travel.
  if (const auto known = co_await functions_.find(*id); !known) co_return fail(known.error());

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
  co_return json_response(200, fmt::format(R"({{"success":true,"functionId":{}}})", json_quote(id->value)));
}

Task<Result<net::Response>> FunctionsHandler::remove(Context& context) {
  const auto id = path_function(context);
  if (!id) co_return fail(id.error());
  if (auto done = co_await by_name_.remove(*id); !done) co_return fail(done.error());
  co_return json_response(200, fmt::format(R"({{"success":true,"deletedId":{}}})", json_quote(id->value)));
}

}  // namespace infra::http
