#include "adapters/aws/dynamodb/dynamodb_item.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "adapters/aws/wire/stored_environment.h"
#include "core/error_codes.h"
#include "core/json_text.h"
#include "core/text.h"
#include "core/trace_context.h"

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

// That an int64_t holds.
std::optional<double> whole_number(const DynamoDbItem& item, std::string_view name) {
  const auto number = number_attribute_of(item, name);
  return number && std::abs(*number) < 9e15 ? number : std::nullopt;
}

std::int64_t whole(const DynamoDbItem& item, std::string_view name, std::int64_t otherwise) {
  const auto number = whole_number(item, name);
  return number ? std::llround(*number) : otherwise;
}

WallTime time_of(const DynamoDbItem& item, std::string_view name, WallTime otherwise) {
  return parse_iso8601(text_attribute_of(item, name)).value_or(otherwise);
}

std::optional<int> megabytes(const DynamoDbItem& item, std::string_view name) {
  const auto number = number_attribute_of(item, name);
  if (!number) return std::nullopt;
  return static_cast<int>(std::clamp<std::int64_t>(whole(item, name, 0), 0, limits::kMaxMemoryMb));
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

std::optional<json::object> setting_attribute(const SettingField& field, const FunctionSettings& settings) {
  if (!is_written(field, settings)) return std::nullopt;
  if (field.type() == SettingType::whole) return number_attribute(number_of(field, settings));
  const std::string text = text_of(field, settings);
  return text.empty() ? std::nullopt : std::optional(text_attribute(text));
}

DynamoDbItem to_item(const Function& f) {
  DynamoDbItem item;
  put_text(item, "functionId", f.id.value);
  for (const auto& field : setting_fields()) {
    if (auto attribute = setting_attribute(field, f)) item[field.name] = std::move(*attribute);
  }
  put_text(item, "originalName", f.original_name);
  put_text(item, "s3Key", f.code.key);
  put_text(item, "codeSha256", f.code.sha256);
  put_text(item, "codeSha256Of", f.code.key);
  put_text(item, "uploadedAt", to_iso8601(f.uploaded_at));
  put_text(item, "updated_at", to_iso8601(f.updated_at));
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
  for (const auto& field : setting_fields()) {
    if (field.type() == SettingType::whole) {
      set_stored_number(field, f, whole_number(item, field.name));
    } else if (field.type() == SettingType::environment) {
      set_stored_environment(field, f, read_stored_environment(text_attribute_of(item, field.name)));
    } else {
      set_stored_text(field, f, text_attribute_of(item, field.name));
    }
  }
  if (f.name.empty()) f.name = f.original_name.empty() ? "Unknown" : f.original_name;
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
  put_text(item, "traceId", row.trace_id);
  if (row.profile) {
    item["peakMemoryBytes"] = number_attribute(row.profile->peak_memory_bytes);
    item["cpuUsage"] = number_attribute(row.profile->cpu_usage_us);
    item["coldStart"] = boolean_attribute(row.profile->cold_start);
  }
  if (row.output_attempt) item["outputAttempt"] = number_attribute(std::int64_t{*row.output_attempt});
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
  if (auto trace = text_attribute_of(item, "traceId"); is_trace_id(trace)) row.trace_id = std::move(trace);
  if (const auto peak = whole(item, "peakMemoryBytes", 0); peak > 0) {
    row.profile = {.peak_memory_bytes = peak,
                   .cpu_usage_us = whole(item, "cpuUsage", 0),
                   .cold_start = boolean_attribute_of(item, "coldStart")};
    // An older row of ours: its memoryMb is the limit.
    if (!row.allocated_memory_mb) row.allocated_memory_mb = row.memory_mb;
    row.memory_mb = peak_memory_mb(peak);
  }
  if (const auto attempt = whole(item, "outputAttempt", -1); attempt >= 0 && attempt <= limits::kMaxReceives)
    row.output_attempt = static_cast<int>(attempt);
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
