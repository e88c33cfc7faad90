#include "adapters/aws/sqs/job_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "adapters/aws/wire/stored_environment.h"
#include "core/error_codes.h"
#include "core/json_members.h"
#include "core/json_text.h"
#include "core/json_value.h"
#include "core/object_keys.h"
#include "core/trace_context.h"

namespace infra::aws {
namespace {

namespace json = boost::json;

constexpr std::string_view kNoRequestId = "requestId is missing or no id";

std::unexpected<Error> invalid(std::string_view why) {
  return fail(errors::invalid_message, fmt::format("The message is no job: {}.", why));
}

// SQS takes neither U+FFFE nor U+FFFF. In valid JSON they stand inside strings, where their escapes mean the same.
std::string escape_refused(std::string body) {
  constexpr std::string_view kLead = "\xEF\xBF";  // of both
  std::string out;
  std::size_t copied = 0;
  for (auto at = body.find(kLead); at != std::string::npos; at = body.find(kLead, at + 1)) {
    const auto last = static_cast<unsigned char>(body[at + 2]);
    if (last < 0xbe) continue;
    out.append(body, copied, at - copied).append(last == 0xbe ? "\\ufffe" : "\\uffff");
    copied = at + 3;
  }
  if (copied == 0) return body;
  return out.append(body, copied);
}

std::optional<double> number_in(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// A number, or the text of one.
std::optional<double> number_of(const RawObject& fields, std::string_view name) {
  const auto number = fields.number(name);
  return number ? number : number_in(fields.string(name));
}

void read_settings(const RawObject& fields, Job& job) {
  for (const auto& field : setting_fields()) {
    if (!field.in_job) continue;
    if (field.type() == SettingType::whole) {
      set_stored_number(field, job, number_of(fields, field.name));
    } else if (field.type() == SettingType::environment) {
      set_stored_environment(field, job, read_stored_environment(fields.text(field.name).value_or("{}")));
    } else {
      set_stored_text(field, job, fields.string(field.name));
    }
  }
}

constexpr std::size_t kMaxNamedDepth = 1000;  // deeper than Python reads

WallTime time_of_acceptance(const std::string& written, const RequestId& id, WallTime now) {
  if (const auto time = parse_iso8601(written)) return *time;
  return uuid_v7_time(id.value).value_or(now);
}

// JSON that breaks a rule of ours can still say whose request it is, and who waits for that.
Result<JobMessage> read_names(std::string_view body, Error broken, WallTime now) {
  json::parse_options options;
  options.max_depth = kMaxNamedDepth;
  boost::system::error_code no_json;
  const auto parsed = json::parse(json::string_view(body.data(), body.size()), no_json, {}, options);
  if (no_json || !parsed.is_object()) return invalid("it is not a JSON object");
  const auto& object = parsed.get_object();
  JobMessage message;
  message.job.request_id = {text_of(object, "requestId")};
  if (!is_valid_function_id(message.job.request_id.value)) return invalid(kNoRequestId);
  if (auto function = text_of(object, "functionId"); is_valid_function_id(function))
    message.job.function_id = {std::move(function)};
  message.job.reply_to = text_of(object, "replyTo");
  if (const auto trace = parse_traceparent(text_of(object, "traceparent")))
    message.job.traceparent = to_traceparent(*trace);
  const auto* async = object.if_contains("async");
  if (async != nullptr && async->is_bool() && async->get_bool()) message.job.mode = RunMode::async;
  message.job.accepted_at = time_of_acceptance(text_of(object, "acceptedAt"), message.job.request_id, now);
  message.cannot_run = Error{errors::invalid_message, std::move(broken.message)};
  return message;
}

// Whose function it is. A reference worker runs what names none as that of "unknown".
Result<void> read_function(const RawObject& fields, Job& job) {
  const std::string function = fields.text("functionId") ? fields.string("functionId") : "unknown";
  if (!is_valid_function_id(function)) return invalid("functionId is no id");
  job.function_id = {function};
  return {};
}

Result<void> read_code(const RawObject& fields, Job& job) {
  job.code = {fields.string("s3Key"), fields.string("codeSha256")};
  if (job.code.key.empty()) return fail(function_has_no_code());
  const SettingField& runtime = field_of(&FunctionSettings::runtime);
  const auto named = fields.string(runtime.name);
  return named.empty() ? Result<void>{} : set_text(runtime, job, named);  // code that nothing here can run
}

Result<void> read_input(const RawObject& fields, JobMessage& message) {
  if (fields.text("inputS3Key")) {
    std::string key = fields.string("inputS3Key");
    if (key != payload_key(message.job.request_id)) return invalid("inputS3Key names another object");
    message.input_key = std::move(key);  // never another's: the object goes with the message
  } else if (const auto input = fields.text("input")) {
    message.job.input = std::string(*input);
  }
  return {};
}

}  // namespace

std::string write_job_message(const Job& job, std::string_view bucket, std::string_view input_key) {
  std::string body = fmt::format(R"({{"requestId":{},"functionId":{},)", json_quote(job.request_id.value),
                                 json_quote(job.function_id.value));
  for (const auto& field : setting_fields()) {
    if (field.in_job && is_written(field, job)) append_json_member(body, field, job);
  }
  body += fmt::format(R"("s3Bucket":{},"s3Key":{})", json_quote(bucket), json_quote(job.code.key));
  if (input_key.empty()) {
    body.append(",\"input\":").append(job.input);
  } else {
    body.append(",\"inputS3Key\":").append(json_quote(input_key));
  }
  // Left out, not empty: a reference worker has a model of its own for a message without one.
  const auto add = [&body](std::string_view name, const std::string& value) {
    if (!value.empty()) body.append(",\"").append(name).append("\":").append(json_quote(value));
  };
  add("modelId", job.model_id);
  add("replyTo", job.reply_to);
  add("codeSha256", job.code.sha256);
  add("traceparent", job.traceparent);
  if (job.mode == RunMode::async) body += ",\"async\":true";
  body.append(",\"attempt\":1,\"acceptedAt\":\"").append(to_iso8601(job.accepted_at)).append("\"}");
  return escape_refused(std::move(body));
}

Result<JobMessage> read_job_message(std::string_view body, WallTime now) {
  const auto read = read_members(body);
  if (!read) return read_names(body, read.error(), now);
  const RawObject& fields = *read;

  JobMessage message;
  Job& job = message.job;
  job.request_id = {fields.string("requestId")};
  if (!is_valid_function_id(job.request_id.value)) return invalid(kNoRequestId);  // it becomes a part of keys
  job.reply_to = fields.string("replyTo");
  job.mode = fields.text("async") == "true" ? RunMode::async : RunMode::sync;
  job.accepted_at = time_of_acceptance(fields.string("acceptedAt"), job.request_id, now);
  read_settings(fields, job);
  job.model_id = fields.string("modelId");
  if (const auto trace = parse_traceparent(fields.string("traceparent"))) job.traceparent = to_traceparent(*trace);

  for (const auto& part : {read_function(fields, job), read_code(fields, job), read_input(fields, message)}) {
    if (!part && !message.cannot_run) message.cannot_run = part.error();
  }
  return message;
}

}  // namespace infra::aws
