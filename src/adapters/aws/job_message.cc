#include "adapters/aws/job_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <utility>

#include "core/json_members.h"
#include "core/json_text.h"
#include "core/json_value.h"

namespace infra::aws {
namespace {

namespace json = boost::json;

constexpr std::string_view kPayloadFolder = "payloads/";

std::unexpected<Error> invalid(std::string_view why) {
  return fail(ErrorKind::invalid, "invalid_message", fmt::format("The message is no job: {}.", why));
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

std::string environment_json(const Environment& env) {
  json::object object;
  for (const auto& [name, value] : env) object[name] = value;
  return json::serialize(object);
}

// Brought into the range; the default for what is no number.
std::int64_t number_in(const RawObject& fields, std::string_view name, std::int64_t least, std::int64_t most,
                       std::int64_t otherwise) {
  const auto found = fields.value(name);
  if (!found.is_number()) return otherwise;
  const double clamped = std::clamp(found.to_number<double>(), static_cast<double>(least), static_cast<double>(most));
  return std::llround(clamped);
}

// The reference stores whatever it was given: an object, or an object's text. Entries that an upload of ours would not
// be allowed to have are left out, so that they can't break the runner.
Environment read_environment(json::value value) {
  if (value.is_string()) {
    value = parse_json(std::string(value.get_string())).value_or(nullptr);
  }
  Environment env;
  if (!value.is_object()) return env;
  for (const auto& [name, entry] : value.get_object()) {
    std::string text = entry.is_string() ? std::string(entry.get_string()) : json::serialize(entry);
    if (check_environment({{std::string(name), text}})) env.emplace(name, std::move(text));
  }
  return env;
}

WallTime accepted_at(const RawObject& fields, const RequestId& id, WallTime now) {
  if (const auto written = parse_iso8601(fields.string("acceptedAt"))) return *written;
  return uuid_v7_time(id.value).value_or(now);
}

}  // namespace

std::string payload_key(const RequestId& id) {
  return fmt::format("{}{}.json", kPayloadFolder, id.value);
}

std::string write_job_message(const Job& job, std::string_view bucket, std::string_view input_key) {
  std::string body = fmt::format(
      R"({{"requestId":{},"functionId":{},"runtime":"{}","memoryMb":{},"s3Bucket":{},"s3Key":{},"timeoutMs":{})",
      json_quote(job.request_id.value), json_quote(job.function_id.value), to_string(job.runtime), job.memory_mb,
      json_quote(bucket), json_quote(job.code.key), job.timeout.count());
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
  body.append(",\"envVars\":").append(environment_json(job.env));
  if (job.network != Network::none) add("network", std::string(to_string(job.network)));
  if (job.keep_warm > 0) body += fmt::format(R"(,"keepWarm":{})", job.keep_warm);
  if (job.max_concurrency > 0) body += fmt::format(R"(,"maxConcurrency":{})", job.max_concurrency);
  add("replyTo", job.reply_to);
  add("codeSha256", job.code.sha256);
  add("traceparent", job.traceparent);
  if (job.mode == RunMode::async) body += ",\"async\":true";
  body.append(",\"attempt\":1,\"acceptedAt\":\"").append(to_iso8601(job.accepted_at)).append("\"}");
  return escape_refused(std::move(body));
}

Result<JobMessage> read_job_message(std::string_view body, WallTime now) {
  const auto read = RawObject::read(body);
  if (!read) return invalid("it is not a JSON object");
  const RawObject& fields = *read;

  JobMessage message;
  Job& job = message.job;
  job.request_id = {fields.string("requestId")};
  job.function_id = {fields.string("functionId")};
  job.code = {fields.string("s3Key"), fields.string("codeSha256")};
  // Both ids become parts of keys in the stores.
  if (!is_valid_function_id(job.request_id.value)) return invalid("requestId is missing or no id");
  if (!is_valid_function_id(job.function_id.value)) return invalid("functionId is missing or no id");
  if (job.code.key.empty()) return invalid("s3Key is missing");

  if (const auto runtime = fields.string("runtime"); !runtime.empty()) {
    const auto known = parse_runtime(runtime);
    if (!known) return invalid("no worker has its runtime");
    job.runtime = *known;
  }
  job.memory_mb = static_cast<int>(
      number_in(fields, "memoryMb", limits::kMinMemoryMb, limits::kMaxMemoryMb, limits::kDefaultMemoryMb));
  job.timeout = milliseconds{number_in(fields, "timeoutMs", limits::kMinTimeout.count(), limits::kMaxTimeout.count(),
                                       limits::kDefaultTimeout.count())};
  job.network = parse_network(fields.string("network")).value_or(Network::none);
  job.keep_warm = static_cast<int>(number_in(fields, "keepWarm", 0, limits::kMaxKeepWarm, 0));
  job.max_concurrency = static_cast<int>(number_in(fields, "maxConcurrency", 0, limits::kMaxConcurrency, 0));
  if (const auto key = fields.text("inputS3Key")) {
    message.input_key = fields.string("inputS3Key");
    if (message.input_key != payload_key(job.request_id)) return invalid("inputS3Key names another object");
  } else if (const auto input = fields.text("input")) {
    job.input = std::string(*input);
  }
  job.model_id = fields.string("modelId");
  job.env = read_environment(fields.value("envVars"));
  job.mode = fields.text("async") == "true" ? RunMode::async : RunMode::sync;
  job.reply_to = fields.string("replyTo");
  job.accepted_at = accepted_at(fields, job.request_id, now);
  job.traceparent = fields.string("traceparent");
  return message;
}

}  // namespace infra::aws
