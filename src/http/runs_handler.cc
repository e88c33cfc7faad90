#include "http/runs_handler.h"

#include <fmt/format.h>

#include "core/duration.h"
#include "core/error_codes.h"
#include "core/function_name.h"
#include "core/json_members.h"
#include "core/json_scalar.h"
#include "core/json_text.h"
#include "core/text.h"
#include "http/error_response.h"
#include "http/json_fields.h"
#include "http/query.h"

namespace infra::http {
namespace {

Result<RunMode> read_mode(const net::Headers& headers) {
  const std::string value = ascii_lower(headers.find("x-async").value_or("false"));
  if (value == "true") return RunMode::async;
  if (value == "false") return RunMode::sync;
  return fail(errors::invalid_async, "The x-async header must be true or false.");
}

// A member that must be a string, or may be null where `optional`.
Result<std::string> text_member(const RawMember& member, bool optional, const ErrorEntry& refusal) {
  if (optional && member.text == "null") return std::string();
  if (!member.text.starts_with('"')) {
    return fail(refusal, fmt::format("{} must be a string.", member.name));
  }
  return json_string_value(member.text).value_or("");
}

Result<void> read_member(app::Invocation& invocation, const RawMember& member) {
  if (member.name == "functionId") {
    auto id = text_member(member, false, errors::invalid_functionId);
    if (!id) return fail(id.error());
    if (id->empty()) return fail(errors::invalid_functionId, "functionId is empty; it names the function to run.");
    if (const auto name = name_referred_to(*id)) {
      invocation.name = *name;
      if (name->empty()) return fail(errors::invalid_functionId, "functionId has no name behind \"name:\".");
      return {};
    }
    if (!is_valid_function_id(*id)) return fail(function_not_found());
    invocation.function = {std::move(*id)};
  } else if (member.name == "inputData") {
    invocation.input = std::string(member.text);
  } else if (member.name == "modelId") {
    auto model = text_member(member, true, errors::invalid_modelId);
    if (!model) return fail(model.error());
    if (model->size() > 256 || model->find('\0') != std::string::npos) {
      return fail(errors::invalid_modelId, "modelId must be at most 256 bytes without NUL.");
    }
    invocation.model_id = std::move(*model);
  }
  return {};  // other members are ignored, as the reference platform does
}

Result<app::Invocation> read_invocation(std::string_view body) {
  const auto members = read_members(body);
  if (!members) return fail(members.error());
  app::Invocation invocation;
  for (const auto& member : members->members()) {
    if (auto read = read_member(invocation, member); !read) return fail(read.error());
  }
  if (invocation.function.empty() && invocation.name.empty())
    return fail(errors::function_id_missing, "functionId is missing; it names the function to run.");
  return invocation;
}

net::Response result_response(const JobResult& result, const RequestId& id) {
  // Nothing is wrong with the run: it is to be sent again.
  for (const auto& passing : {errors::shutting_down, errors::no_descriptors}) {
    if (result.status == RunStatus::error && result.error_code == passing)
      return error_response({passing, result.error_message, std::chrono::seconds{1}}, id, &id);
  }
  return json_response(result.status == RunStatus::error ? 500 : 200, to_json(result));
}

// Whether a result is of one of the key's functions.
bool is_of_own(const Context& context, const std::string& result) {
  const auto members = RawObject::read(result);
  return members && is_among(context.own_functions(), {members->string("functionId")});
}

// What the worker took in all, and the handler of that; the rest of the total is the way there and back.
std::string timing_of(const JobResult& result) {
  const std::int64_t us = whole_us(result.duration_ms);  // the same as in durationUs
  std::string timing = fmt::format("worker;dur={}.{:03}", us / 1000, us % 1000);
  if (result.handler_ms) timing += fmt::format(", handler;dur={:.3f}", *result.handler_ms);
  return timing;
}

}  // namespace

Task<Result<net::Response>> RunsHandler::run(Context& context) {
  if (!is_json(context.request.headers)) {
    co_return fail(errors::unsupported_media_type, "Send the body as Content-Type: application/json.");
  }
  const auto mode = read_mode(context.request.headers);
  if (!mode) co_return fail(mode.error());
  Result<app::Invocation> invocation;
  {
    const auto body = co_await read_json_body(context.request, limits::kMaxRunBodyBytes);
    if (!body) co_return fail(body.error());
    invocation = read_invocation(*body);
  }
  if (!invocation) co_return fail(invocation.error());
  context.function = invocation->function;
  invocation->found = &context.function;
  invocation->only = context.own_functions();
  invocation->id = context.id;
  invocation->mode = *mode;
  invocation->traceparent = to_traceparent(context.trace);

  const auto result = co_await invoke_.run(std::move(*invocation));
  if (!result) {
    context.error_code = result.error().code;
    context.told = app::job_goes_on(result.error());
    co_return error_response(result.error(), context.id, context.told ? &context.id : nullptr);
  }
  if (*mode == RunMode::async) {
    co_return json_response(
        202,
        fmt::format(
            R"({{"status":"ACCEPTED","message":"The job is accepted; GET /status/{0} gives its result.","jobId":"{0}"}})",
            context.id.value));
  }
  context.error_code = (*result)->error_code;
  context.told = true;
  context.timing = timing_of(**result);
  co_return result_response(**result, context.id);
}

Task<Result<net::Response>> RunsHandler::status(Context& context) {
  const std::string& id = context.param("jobId");
  if (!uuid_version(id)) {
    co_return fail(errors::job_not_found, "There is no such job; a job id is a UUID, as POST /run gave it.");
  }
  auto stored = co_await results_.find({id});
  if (!stored) co_return fail(stored.error());
  if (context.own_functions() != nullptr && stored->finished() && !is_of_own(context, stored->json))
    co_return fail(function_not_allowed());
  co_return json_response(200, stored->finished() ? std::move(stored->json) : R"({"status":"pending"})");
}

}  // namespace infra::http
