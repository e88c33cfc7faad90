#include "core/job_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/duration.h"
#include "core/json_cursor.h"
#include "core/json_members.h"
#include "core/json_scalar.h"
#include "core/json_text.h"
#include "core/object_keys.h"
#include "core/operator_error_codes.h"
#include "core/text.h"
#include "core/trace_context.h"

namespace infra {
namespace {

constexpr std::size_t kMostOutputFiles = 1000;  // that a reference worker's result may name

constexpr std::size_t kLongestCharacter = 4;
constexpr std::size_t kRoomBeside = 2048;  // in a result's text for all but its long members

constexpr std::array<std::string_view, 4> kStatusNames = {"SUCCESS", "FAILED", "TIMEOUT", "ERROR"};

// FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/): spreads ids; no secret depends on it.
std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

std::int64_t whole_field(const RawObject& object, std::string_view name) {
  const auto value = object.number(name);
  return value && std::abs(*value) < 9e18 ? static_cast<std::int64_t>(*value) : 0;
}

// Nullopt where there is no number, or none that an int holds.
std::optional<int> int_field(const RawObject& object, std::string_view name) {
  const auto value = object.number(name);
  if (!value || std::abs(*value) > std::numeric_limits<int>::max()) return std::nullopt;
  return static_cast<int>(*value);
}

std::optional<OutputFile> output_file_of(std::string_view entry) {
  if (auto name = json_string_value(entry)) return OutputFile{.name = std::move(*name), .key = {}, .name_only = true};
  const auto file = RawObject::read(entry);
  if (!file) return std::nullopt;
  return OutputFile{file->string("name"), whole_field(*file, "size"), file->string("key"), file->string("sha256")};
}

void read_output_files(const RawObject& object, std::vector<OutputFile>& files) {
  JsonCursor list(object.text("outputFiles").value_or(""));
  if (!list.take('[') || list.take(']')) return;
  do {
    const auto entry = list.value();
    if (!entry) return;
    if (auto file = output_file_of(*entry)) files.push_back(std::move(*file));
  } while (files.size() < kMostOutputFiles && list.take(','));
}

// Reference workers know no microseconds, and those of several ages have several names for the rest.
void read_durations(const RawObject& object, JobResult& r) {
  constexpr double kLongestMs = 1e12;
  const auto exact_us = object.number("durationUs");
  r.of_reference_worker = !exact_us;
  if (exact_us) r.duration_ms = *exact_us / 1000;
  for (const char* name : {"durationMs", "duration_ms", "durationMillis"}) {
    if (!exact_us && r.duration_ms == 0) r.duration_ms = object.number(name).value_or(0);
  }
  r.duration_ms = std::clamp(r.duration_ms, 0.0, kLongestMs);
  r.handler_ms = object.number("handlerDurationMs");
}

// Whole microseconds; a reference worker's is a fraction of the run's duration.
void read_cpu_usage(const RawObject& object, JobResult& r) {
  r.cpu_usage_us = whole_field(object, "cpuUsage");
  const auto share = object.number("cpuUsage");
  if (!share || *share == std::floor(*share)) return;
  r.cpu_share = share;
  r.cpu_usage_us = whole_us(*share * r.duration_ms);
}

std::string output_file_json(const OutputFile& file) {
  if (file.name_only) return json_quote(file.name);
  return fmt::format(R"({{"name":{},"size":{},"sha256":{},"key":{}}})", json_quote(file.name), file.size_bytes,
                     file.sha256.empty() ? "null" : json_quote(file.sha256), json_quote(file.key));
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
  return to_json(r, r.value);
}

std::string to_json(const JobResult& r, std::string_view value) {
  std::string text =
      fmt::format(R"({{"requestId":{},"functionId":{},"workerId":{},"status":"{}","exitCode":{},"stdout":)",
                  json_quote(r.request_id.value), json_quote(r.function_id.value), json_quote(r.worker_id.value),
                  to_string(r.status), r.exit_code);
  // Once, and all of it: growing would copy what was written.
  text.reserve(kRoomBeside + json_string_size(r.out) + json_string_size(r.err) + value.size());
  append_json_string(text, r.out);
  text += R"(,"stderr":)";
  append_json_string(text, r.err);
  text += R"(,"result":)";
  text += value.empty() ? "null" : value;
  if (!r.error_code.empty()) {
    text += fmt::format(R"(,"error":{},"code":{})", json_quote(r.error_message), json_quote(r.error_code));
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
  text += fmt::format(R"(,"optimizationTip":{},"recommendedMemoryMb":{},"estimatedSavings":{},"traceId":{}}})",
                      r.optimization_tip.empty() ? "null" : json_quote(r.optimization_tip),
                      r.recommended_memory_mb ? std::to_string(*r.recommended_memory_mb) : "null",
                      r.estimated_savings.empty() ? "null" : json_quote(r.estimated_savings),
                      r.trace_id.empty() ? "null" : json_quote(r.trace_id));
  return text;
}

// Reference workers say SUCCESS and FAILED; what else one may say is judged as their controllers do.
std::optional<RunStatus> status_of(const RawObject& object) {
  if (const auto status = parse_run_status(object.string("status"))) return status;
  const auto exit_code = int_field(object, "exitCode");
  if (!exit_code) return std::nullopt;
  return *exit_code == 0 ? RunStatus::success : RunStatus::failed;
}

Result<JobResult> parse_job_result(std::string_view text) {
  const auto invalid = [](std::string why) { return fail(errors::invalid_result, std::move(why)); };
  const auto raw = RawObject::read(text);
  if (!raw) return invalid("A result must be a JSON object.");
  const RawObject& object = *raw;
  const auto status = status_of(object);
  if (!status) return invalid("A result must have a status (SUCCESS, FAILED, TIMEOUT or ERROR) or an exitCode.");

  JobResult r;
  r.request_id = {object.string("requestId")};
  r.function_id = {object.string("functionId")};
  r.worker_id = {object.string("workerId")};
  r.status = *status;
  r.exit_code = int_field(object, "exitCode").value_or(0);
  r.out = object.string("stdout");
  r.err = object.string("stderr");
  r.value = std::string(object.text("result").value_or("null"));
  r.error_code = object.string("code");
  r.error_message = object.string("error");
  read_durations(object, r);
  r.peak_memory_bytes = whole_field(object, "peakMemoryBytes");
  r.allocated_memory_mb = int_field(object, "allocatedMemoryMb").value_or(0);
  read_cpu_usage(object, r);
  r.cold_start = object.is_true("coldStart");
  r.network_rx = whole_field(object, "networkRx");
  r.network_tx = whole_field(object, "networkTx");
  r.disk_read = whole_field(object, "diskRead");
  r.disk_write = whole_field(object, "diskWrite");
  read_output_files(object, r.output_files);
  r.llm_tokens = whole_field(object, "llm_token_count");
  r.optimization_tip = object.string("optimizationTip");
  r.recommended_memory_mb = int_field(object, "recommendedMemoryMb");
  r.estimated_savings = object.string("estimatedSavings");
  if (auto trace = object.string("traceId"); is_trace_id(trace)) r.trace_id = std::move(trace);
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
  result.trace_id = trace_id_in(job.traceparent);
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

std::optional<int> output_attempt_of(const JobResult& result) {
  if (result.output_files.empty() || result.output_files.front().name_only) return 0;
  const OutputFile& file = result.output_files.front();
  for (int attempt = 1; attempt <= limits::kMaxReceives; ++attempt) {
    if (file.key == output_key(result.function_id, result.request_id, file.name, attempt)) return attempt;
  }
  return std::nullopt;
}

LogRow make_log_row(const JobResult& result, WallTime accepted_at, WallTime now) {
  std::string message;
  std::size_t whole = 0;
  for (const std::string* part : {&result.out, &result.err, &result.error_message}) {
    if (part->empty() || (part == &result.error_message && result.err.find(*part) != std::string::npos)) continue;
    const bool unended = !message.empty() && message.back() != '\n';
    if (unended) message += '\n';
    whole += part->size() + (unended ? 1 : 0);
    // No more of it than may stay, and one character, of which the last may be a part.
    message += replace_invalid_utf8(std::string_view(*part).substr(0, limits::kMaxLogMessageBytes + kLongestCharacter));
  }
  if (message.size() > limits::kMaxLogMessageBytes) {
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
      .expires_at = now + limits::kLogTtl,
      .trace_id = result.trace_id,
      .output_attempt = output_attempt_of(result)};
}

}  // namespace infra
