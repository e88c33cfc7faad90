#include "core/job_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <limits>

#include "core/duration.h"
#include "core/json_members.h"
#include "core/json_text.h"
#include "core/json_value.h"
#include "core/operator_error_codes.h"
#include "core/text.h"

namespace infra {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 4> kStatusNames = {"SUCCESS", "FAILED", "TIMEOUT", "ERROR"};

// FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/): spreads ids; no secret depends on it.
std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

std::optional<double> number_field(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}

std::int64_t whole_field(const json::object& object, std::string_view name) {
  const auto value = number_field(object, name);
  return value && std::abs(*value) < 9e18 ? static_cast<std::int64_t>(*value) : 0;
}

// Nullopt where there is no number, or none that an int holds.
std::optional<int> int_field(const json::object& object, std::string_view name) {
  const auto value = number_field(object, name);
  if (!value || std::abs(*value) > std::numeric_limits<int>::max()) return std::nullopt;
  return static_cast<int>(*value);
}

void read_output_files(const json::object& object, std::vector<OutputFile>& files) {
  const auto* list = object.if_contains("outputFiles");
  if (list == nullptr || !list->is_array()) return;
  for (const auto& entry : list->get_array()) {
    if (entry.is_string()) files.push_back({.name = std::string(entry.get_string()), .key = {}, .name_only = true});
    if (!entry.is_object()) continue;
    const auto& file = entry.get_object();
    files.push_back({text_of(file, "name"), whole_field(file, "size"), text_of(file, "key"), text_of(file, "sha256")});
  }
}

// Reference workers say SUCCESS and FAILED; what else one may say is judged as their controllers do.
std::optional<RunStatus> status_of(const json::object& object) {
  if (const auto status = parse_run_status(text_of(object, "status"))) return status;
  const auto exit_code = int_field(object, "exitCode");
  if (!exit_code) return std::nullopt;
  return *exit_code == 0 ? RunStatus::success : RunStatus::failed;
}

// Reference workers know no microseconds, and those of several ages have several names for the rest.
void read_durations(const json::object& object, JobResult& r) {
  constexpr double kLongestMs = 1e12;
  const auto exact_us = number_field(object, "durationUs");
  r.of_reference_worker = !exact_us;
  if (exact_us) r.duration_ms = *exact_us / 1000;
  for (const char* name : {"durationMs", "duration_ms", "durationMillis"}) {
    if (!exact_us && r.duration_ms == 0) r.duration_ms = number_field(object, name).value_or(0);
  }
  r.duration_ms = std::clamp(r.duration_ms, 0.0, kLongestMs);
  r.handler_ms = number_field(object, "handlerDurationMs");
}

// Whole microseconds; a reference worker's is a fraction of the run's duration.
void read_cpu_usage(const json::object& object, JobResult& r) {
  r.cpu_usage_us = whole_field(object, "cpuUsage");
  const auto share = number_field(object, "cpuUsage");
  if (!share || *share == std::floor(*share)) return;
  r.cpu_share = share;
  r.cpu_usage_us = whole_us(*share * r.duration_ms);
}

std::string output_file_json(const OutputFile& file) {
  if (file.name_only) return json_quote(replace_invalid_utf8(file.name));
  return fmt::format(R"({{"name":{},"size":{},"sha256":{},"key":{}}})", json_quote(replace_invalid_utf8(file.name)),
                     file.size_bytes, file.sha256.empty() ? "null" : json_quote(file.sha256),
                     json_quote(replace_invalid_utf8(file.key)));
}

}  // namespace

std::string_view to_string(RunStatus status) {
  return kStatusNames[static_cast<std::size_t>(status)];
}

std::optional<RunStatus> parse_run_status(std::string_view text) {
  const auto found = std::ranges::find(kStatusNames, text);
  if (found == kStatusNames.end()) return std::nullopt;
  return from_number<RunStatus>(found - kStatusNames.begin());
}

std::string to_json(const JobResult& r) {
  std::string text = fmt::format(
      R"({{"requestId":{},"functionId":{},"workerId":{},"status":"{}","exitCode":{},"stdout":{},"stderr":{},"result":{})",
      json_quote(r.request_id.value), json_quote(r.function_id.value), json_quote(r.worker_id.value),
      to_string(r.status), r.exit_code, json_quote(replace_invalid_utf8(r.out)),
      json_quote(replace_invalid_utf8(r.err)), r.value.empty() ? "null" : r.value);
  if (!r.error_code.empty()) {
    text += fmt::format(R"(,"error":{},"code":{})", json_quote(replace_invalid_utf8(r.error_message)),
                        json_quote(r.error_code));
  }
  text += fmt::format(
      R"(,"durationMs":{},"durationUs":{},"handlerDurationMs":{},"peakMemoryBytes":{},"allocatedMemoryMb":{})",
      whole_ms(r.duration_ms), whole_us(r.duration_ms), r.handler_ms ? json_number(*r.handler_ms) : "null",
      r.peak_memory_bytes, r.allocated_memory_mb);
  text += fmt::format(R"(,"cpuUsage":{},"coldStart":{},"networkRx":{},"networkTx":{},"diskRead":{},"diskWrite":{})",
                      r.cpu_share ? fmt::format("{}", *r.cpu_share) : std::to_string(r.cpu_usage_us), r.cold_start,
                      r.network_rx, r.network_tx, r.disk_read, r.disk_write);
  text += fmt::format(R"(,"outputFiles":{},"llm_token_count":{})", json_array(r.output_files, output_file_json),
                      r.llm_tokens);
  text += fmt::format(R"(,"optimizationTip":{},"recommendedMemoryMb":{},"estimatedSavings":{}}})",
                      r.optimization_tip.empty() ? "null" : json_quote(r.optimization_tip),
                      r.recommended_memory_mb ? std::to_string(*r.recommended_memory_mb) : "null",
                      r.estimated_savings.empty() ? "null" : json_quote(r.estimated_savings));
  return text;
}

Result<JobResult> parse_job_result(std::string_view text) {
  const auto invalid = [](std::string why) { return fail(errors::invalid_result, std::move(why)); };
  const auto raw = RawObject::read(text);
  if (!raw) return invalid("A result must be a JSON object.");
  json::object object;
  for (const auto& member : raw->members()) {
    if (member.name != "result") object.emplace(member.name, raw->value(member.name));
  }
  const auto status = status_of(object);
  if (!status) return invalid("A result must have a status (SUCCESS, FAILED, TIMEOUT or ERROR) or an exitCode.");

  JobResult r;
  r.request_id = {text_of(object, "requestId")};
  r.function_id = {text_of(object, "functionId")};
  r.worker_id = {text_of(object, "workerId")};
  r.status = *status;
  r.exit_code = int_field(object, "exitCode").value_or(0);
  r.out = text_of(object, "stdout");
  r.err = text_of(object, "stderr");
  r.value = std::string(raw->text("result").value_or("null"));  // Boost.JSON would write 3.1 as 3.1E0
  r.error_code = text_of(object, "code");
  r.error_message = text_of(object, "error");
  read_durations(object, r);
  r.peak_memory_bytes = whole_field(object, "peakMemoryBytes");
  r.allocated_memory_mb = int_field(object, "allocatedMemoryMb").value_or(0);
  read_cpu_usage(object, r);
  if (const auto* cold = object.if_contains("coldStart")) r.cold_start = cold->is_bool() && cold->get_bool();
  r.network_rx = whole_field(object, "networkRx");
  r.network_tx = whole_field(object, "networkTx");
  r.disk_read = whole_field(object, "diskRead");
  r.disk_write = whole_field(object, "diskWrite");
  read_output_files(object, r.output_files);
  r.llm_tokens = whole_field(object, "llm_token_count");
  r.optimization_tip = text_of(object, "optimizationTip");
  r.recommended_memory_mb = int_field(object, "recommendedMemoryMb");
  r.estimated_savings = text_of(object, "estimatedSavings");
  return r;
}

JobResult platform_error(const Job& job, const Error& error) {
  JobResult result;
  result.request_id = job.request_id;
  result.function_id = job.function_id;
  result.status = RunStatus::error;
  result.exit_code = 1;
  result.err = error.message;
  result.error_code = error.code;
  result.error_message = error.message;
  result.allocated_memory_mb = job.memory_mb;
  return result;
}

std::string log_timestamp(const RequestId& id, WallTime fallback) {
  std::string text = to_iso8601(uuid_v7_time(id.value).value_or(fallback));
  text.pop_back();  // the Z
  return fmt::format("{}{:09}Z", text, fnv1a(id.value) % 1'000'000'000);
}

int peak_memory_mb(std::int64_t bytes) {
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  constexpr auto kMb = static_cast<std::int64_t>(limits::kMiB);
  return static_cast<int>(std::clamp<std::int64_t>(bytes / kMb + (bytes % kMb >= kMb / 2 ? 1 : 0), 0, kMost));
}

std::optional<RunProfile> profile_of(const JobResult& result) {
  if (result.peak_memory_bytes <= 0) return std::nullopt;
  return RunProfile{.peak_memory_bytes = result.peak_memory_bytes,
                    .cpu_usage_us = result.cpu_usage_us,
                    .cold_start = result.cold_start};
}

LogRow make_log_row(const JobResult& result, WallTime accepted_at, WallTime now) {
  std::string message = replace_invalid_utf8(result.out);
  for (const std::string* part : {&result.err, &result.error_message}) {
    if (part->empty() || (part == &result.error_message && result.err.find(*part) != std::string::npos)) continue;
    if (!message.empty() && message.back() != '\n') message += '\n';
    message += replace_invalid_utf8(*part);
  }
  if (message.size() > limits::kMaxLogMessageBytes) {
    const std::size_t whole = message.size();
    message.resize(cut_utf8(message, limits::kMaxLogMessageBytes).size());
    message += fmt::format("\n[cut: {} of {} bytes are kept]", message.size(), whole);
  }
  return {
      .function_id = result.function_id,
      .request_id = result.request_id,
      .timestamp = log_timestamp(result.request_id, accepted_at),
      .status = result.status,
      .duration_ms = result.duration_ms,
      .handler_ms = result.handler_ms,
      .memory_mb = peak_memory_mb(result.peak_memory_bytes),
      .allocated_memory_mb = result.allocated_memory_mb > 0 ? std::optional(result.allocated_memory_mb) : std::nullopt,
      .profile = profile_of(result),
      .error_code = result.error_code,
      .message = std::move(message),
      .expires_at = now + limits::kLogTtl};
}

}  // namespace infra
