#include "adapters/aws/dynamodb/dynamodb_item.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "adapters/aws/wire/stored_environment.h"
#include "core/error_codes.h"
#include "core/json_text.h"
#include "core/text.h"

namespace infra::aws {
namespace {

namespace json = boost::json;

const json::object* attribute(const DynamoDbItem& item, std::string_view name) {
  const auto* value = item.if_contains(name);
  return value == nullptr ? nullptr : value->if_object();
}

void put_text(DynamoDbItem& item, std::string_view name, std::string_view text) {
  if (!text.empty()) item[name] = text_attribute(text);
}

std::int64_t whole(const DynamoDbItem& item, std::string_view name, std::int64_t otherwise) {
  const auto number = number_attribute_of(item, name);
  return number && std::abs(*number) < 9e15 ? std::llround(*number) : otherwise;
}

WallTime time_of(const DynamoDbItem& item, std::string_view name, WallTime otherwise) {
  return parse_iso8601(text_attribute_of(item, name)).value_or(otherwise);
}

std::optional<int> megabytes(const DynamoDbItem& item, std::string_view name) {
  const auto number = number_attribute_of(item, name);
  if (!number) return std::nullopt;
  return static_cast<int>(std::clamp<std::int64_t>(whole(item, name, 0), 0, limits::kMaxMemoryMb));
}

std::string first_of(std::string first, std::string second) {
  return first.empty() ? std::move(second) : std::move(first);
}

}  // namespace

json::object text_attribute(std::string_view text) {
  return {{"S", json::string_view(text.data(), text.size())}};
}
json::object number_attribute(std::int64_t number) {
  return {{"N", std::to_string(number)}};
}
json::object number_attribute(double number) {
  return {{"N", std::isfinite(number) ? json_number(number) : "0"}};
}

json::object boolean_attribute(bool value) {
  return {{"BOOL", value}};
}

std::string text_attribute_of(const DynamoDbItem& item, std::string_view name) {
  const auto* typed = attribute(item, name);
  const auto* text = typed == nullptr ? nullptr : typed->if_contains("S");
  return text != nullptr && text->is_string() ? std::string(text->get_string()) : std::string();
}

std::optional<double> number_attribute_of(const DynamoDbItem& item, std::string_view name) {
  const auto* typed = attribute(item, name);
  const auto* text = typed == nullptr ? nullptr : typed->if_contains("N");
  if (text == nullptr || !text->is_string()) return std::nullopt;
  const std::string_view digits(text->get_string());
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

bool boolean_attribute_of(const DynamoDbItem& item, std::string_view name) {
  const auto* typed = attribute(item, name);
  const auto* value = typed == nullptr ? nullptr : typed->if_contains("BOOL");
  return value != nullptr && value->is_bool() && value->get_bool();
}

DynamoDbItem to_item(const Function& f) {
  DynamoDbItem item;
  put_text(item, "functionId", f.id.value);
  put_text(item, "name", f.name);
  put_text(item, "description", f.description);
  put_text(item, "originalName", f.original_name);
  put_text(item, "runtime", to_string(f.runtime));
  put_text(item, "s3Key", f.code.key);
  put_text(item, "codeSha256", f.code.sha256);
  put_text(item, "codeSha256Of", f.code.key);
  put_text(item, "uploadedAt", to_iso8601(f.uploaded_at));
  put_text(item, "updated_at", to_iso8601(f.updated_at));
  put_text(item, "envVars", to_json(f.env));
  item["memoryMb"] = number_attribute(std::int64_t{f.memory_mb});
  item["timeoutMs"] = number_attribute(std::int64_t{f.timeout.count()});
  // The default is no attribute, so that a row without such settings is as it always was.
  if (f.network != Network::none) put_text(item, "network", to_string(f.network));
  if (f.keep_warm > 0) item["keepWarm"] = number_attribute(std::int64_t{f.keep_warm});
  if (f.max_concurrency > 0) item["maxConcurrency"] = number_attribute(std::int64_t{f.max_concurrency});
  item["version"] = number_attribute(f.version);
  item["invocations"] = number_attribute(f.invocations);
  item["totalDuration"] = number_attribute(f.total_duration_ms);
  item["handlerInvocations"] = number_attribute(f.handler_invocations);
  item["totalHandlerDuration"] = number_attribute(f.total_handler_ms);
  return item;
}

Function function_from(const DynamoDbItem& item) {
  Function f;
  f.id = {text_attribute_of(item, "functionId")};
  f.original_name = text_attribute_of(item, "originalName");
  f.name = first_of(text_attribute_of(item, "name"), first_of(f.original_name, "Unknown"));
  f.description = text_attribute_of(item, "description");
  f.runtime = parse_runtime(text_attribute_of(item, "runtime")).value_or(Runtime::python);
  f.memory_mb = static_cast<int>(std::clamp<std::int64_t>(whole(item, "memoryMb", limits::kDefaultMemoryMb),
                                                          limits::kMinMemoryMb, limits::kMaxMemoryMb));
  f.timeout = milliseconds{std::clamp<std::int64_t>(whole(item, "timeoutMs", limits::kDefaultTimeout.count()),
                                                    limits::kMinTimeout.count(), limits::kMaxTimeout.count())};
  f.network = parse_network(text_attribute_of(item, "network")).value_or(Network::none);
  f.keep_warm = static_cast<int>(std::clamp<std::int64_t>(whole(item, "keepWarm", 0), 0, limits::kMaxKeepWarm));
  f.max_concurrency =
      static_cast<int>(std::clamp<std::int64_t>(whole(item, "maxConcurrency", 0), 0, limits::kMaxConcurrency));
  f.env = read_stored_environment(text_attribute_of(item, "envVars"));
  f.code.key = text_attribute_of(item, "s3Key");
  // A reference controller that replaces the code changes the key and leaves the hash of the old one.
  if (text_attribute_of(item, "codeSha256Of") == f.code.key) f.code.sha256 = text_attribute_of(item, "codeSha256");
  f.version = whole(item, "version", 1);
  f.uploaded_at = time_of(item, "uploadedAt", {});
  f.updated_at = time_of(item, "updated_at", f.uploaded_at);
  f.invocations = whole(item, "invocations", 0);
  f.total_duration_ms = number_attribute_of(item, "totalDuration").value_or(0);
  f.handler_invocations = whole(item, "handlerInvocations", 0);
  f.total_handler_ms = number_attribute_of(item, "totalHandlerDuration").value_or(0);
  return f;
}

DynamoDbItem to_item(const LogRow& row) {
  DynamoDbItem item;
  put_text(item, "functionId", row.function_id.value);
  put_text(item, "timestamp", row.timestamp);
  put_text(item, "requestId", row.request_id.value);
  put_text(item, "status", to_string(row.status));
  put_text(item, "message", row.message);
  item["duration"] = number_attribute(row.duration_ms);
  if (row.handler_ms) item["handlerDurationMs"] = number_attribute(*row.handler_ms);
  item["memoryMb"] = number_attribute(std::int64_t{row.memory_mb});
  if (row.allocated_memory_mb) item["allocatedMemoryMb"] = number_attribute(std::int64_t{*row.allocated_memory_mb});
  put_text(item, "code", row.error_code);
  if (row.profile) {
    item["peakMemoryBytes"] = number_attribute(row.profile->peak_memory_bytes);
    item["cpuUsage"] = number_attribute(row.profile->cpu_usage_us);
    item["coldStart"] = boolean_attribute(row.profile->cold_start);
  }
  const auto expires = std::chrono::floor<std::chrono::seconds>(row.expires_at.time_since_epoch());
  item["expiresAt"] = number_attribute(std::int64_t{expires.count()});
  return item;
}

LogRow log_row_from(const DynamoDbItem& item) {
  LogRow row;
  row.function_id = {text_attribute_of(item, "functionId")};
  row.timestamp = text_attribute_of(item, "timestamp");
  row.request_id = {text_attribute_of(item, "requestId")};
  row.status = parse_run_status(text_attribute_of(item, "status")).value_or(RunStatus::error);
  row.message = text_attribute_of(item, "message");
  row.duration_ms = number_attribute_of(item, "duration").value_or(0);
  row.handler_ms = number_attribute_of(item, "handlerDurationMs");
  row.memory_mb = megabytes(item, "memoryMb").value_or(0);
  row.allocated_memory_mb = megabytes(item, "allocatedMemoryMb");
  row.error_code = text_attribute_of(item, "code");
  if (const auto peak = whole(item, "peakMemoryBytes", 0); peak > 0) {
    row.profile = {.peak_memory_bytes = peak,
                   .cpu_usage_us = whole(item, "cpuUsage", 0),
                   .cold_start = boolean_attribute_of(item, "coldStart")};
    // An older row of ours: its memoryMb is the limit.
    if (!row.allocated_memory_mb) row.allocated_memory_mb = row.memory_mb;
    row.memory_mb = peak_memory_mb(peak);
  }
  // A row without a date to go stays.
  const auto expires = whole(item, "expiresAt", 0);
  row.expires_at = expires > 0 ? WallTime{std::chrono::seconds{expires}} : WallTime::max();
  return row;
}

Error table_error(Error error, std::string_view table) {
  if (error.kind == ErrorKind::not_found) {
    return {errors::table_missing, fmt::format("The table {} does not exist; check its name and AWS_REGION.", table),
            std::chrono::seconds{1}};
  }
  // A request of ours that the service refuses is a bug or a wrong table: never the client's mistake.
  if (error.kind == ErrorKind::invalid) error.kind = ErrorKind::internal;
  return error;
}

}  // namespace infra::aws
