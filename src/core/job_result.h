// A job's outcome: the contract's result object, and the execution log row that is derived from it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/ids.h"
#include "core/job.h"
#include "core/time.h"

namespace infra {

class ByteClaim;
class RawObject;

enum class RunStatus : std::uint8_t {
  success,
  failed,   // the function's own fault; never retried
  timeout,  // the function ran out of its own time
  error,    // the platform's fault
};

template <>
inline constexpr RunStatus kLastOf<RunStatus> = RunStatus::error;

[[nodiscard]] std::string_view to_string(RunStatus status);  // "SUCCESS" …
[[nodiscard]] std::optional<RunStatus> parse_run_status(std::string_view text);

// A file that the function left in /output.
struct OutputFile {
  std::string name;  // below /output: "a/b.txt"
  std::int64_t size_bytes = 0;
  std::string key;  // in the code store
  std::string sha256 = {};
  bool name_only = false;  // a reference worker's, which tells a name or a URL and nothing else
};

struct JobResult {
  RequestId request_id;
  FunctionId function_id;
  WorkerId worker_id;
  RunStatus status = RunStatus::error;
  int exit_code = 0;
  std::string out;                   // stdout: what was printed and, last, what the handler returned
  std::string err;                   // stderr
  std::string value = "null";        // the returned value alone, as JSON text
  std::string error_code;            // why it is not a success: "handler_missing", "out_of_memory" …; else empty
  std::string error_message;         // the same for a person
  double duration_ms = 0;            // on the worker, platform included
  std::optional<double> handler_ms;  // the handler alone
  std::int64_t peak_memory_bytes = 0;
  int allocated_memory_mb = 0;
  std::int64_t cpu_usage_us = 0;
  std::optional<double> cpu_share;  // a reference worker's cpuUsage: CPU time by duration, and shown as it is
  bool cold_start = false;
  std::int64_t network_rx = 0, network_tx = 0, disk_read = 0, disk_write = 0;
  std::vector<OutputFile> output_files;
  std::int64_t llm_tokens = 0;
  std::string optimization_tip;
  std::optional<int> recommended_memory_mb;
  std::string estimated_savings;
  std::string trace_id{};                    // the trace that the run is a part of; empty: none is known
  bool of_reference_worker = false;          // read from a text without durationUs, which ours have
  std::shared_ptr<const ByteClaim> claim{};  // what its value is counted against until nobody has it; small ones: none
};

// The contract's JSON: durationMs is rounded up, durationUs exact. Invalid UTF-8 in stdout or stderr is replaced by
// U+FFFD, so that the text is always valid JSON.
[[nodiscard]] std::string to_json(const JobResult& result);
// The same with `value` for the returned one.
[[nodiscard]] std::string to_json(const JobResult& result, std::string_view value);

// What makes an object a result: its status, or one that follows from its exit code.
[[nodiscard]] std::optional<RunStatus> status_of(const RawObject& object);

// Reads what to_json() or a reference worker wrote; missing fields keep their defaults, and a missing or unknown status
// follows from the exit code. `invalid` if it is no result.
[[nodiscard]] Result<JobResult> parse_job_result(std::string_view json);

// A result for a job that did not get to run, or that the platform broke.
[[nodiscard]] JobResult platform_error(const Job& job, const Error& error);

// A run's usage of resources.
struct RunProfile {
  std::int64_t peak_memory_bytes = 0;
  std::int64_t cpu_usage_us = 0;
  bool cold_start = false;
  bool operator==(const RunProfile&) const = default;
};

// A row of the execution log. (function_id, timestamp) is its key.
struct LogRow {
  FunctionId function_id;
  RequestId request_id;
  std::string timestamp;  // log_timestamp(request_id)
  RunStatus status = RunStatus::error;
  double duration_ms = 0;
  std::optional<double> handler_ms;
  int memory_mb = 0;                       // the peak, as the reference platform has it: whole, 0 if not measured
  std::optional<int> allocated_memory_mb;  // none: the row is the reference platform's
  std::optional<RunProfile> profile;       // none: it did not get to run, or the row is the reference platform's
  std::string error_code;                  // as the result's
  std::string message;
  WallTime expires_at;
  std::string trace_id = {};               // as the result's
  std::optional<int> output_attempt = {};  // output_attempt_of(its result); none: nor is it known of the row
};

// The request id's own millisecond in ISO 8601, with nine more fraction digits hashed from the id: a row that is put
// twice is one row, and two runs in a millisecond are two. For an id without a time, `fallback`'s millisecond.
[[nodiscard]] std::string log_timestamp(const RequestId& id, WallTime fallback);

// The nearest whole number, as the reference platform writes it.
[[nodiscard]] int peak_memory_mb(std::int64_t bytes);

// Nullopt if nothing of the function was measured, which always has some peak.
[[nodiscard]] std::optional<RunProfile> profile_of(const JobResult& result);

// Which start of the job kept the files that this result lists; 0 if it lists none of ours. Nullopt if their keys are
// none that output_key() makes.
[[nodiscard]] std::optional<int> output_attempt_of(const JobResult& result);

// `message` holds stdout, stderr and the error, cut at a character with a note past kMaxLogMessageBytes.
[[nodiscard]] LogRow make_log_row(const JobResult& result, WallTime accepted_at, WallTime now);

}  // namespace infra
