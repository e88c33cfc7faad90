// A job's message, ours or a reference controller's: what can run is in its bounds, names no other job's input, and
// reads the same when it is written again.
#include <string>

#include "adapters/aws/sqs/job_message.h"
#include "core/json_cursor.h"
#include "core/object_keys.h"
#include "fuzz/target.h"

namespace infra::fuzz {
namespace {

void read_messages(std::string_view body) {
  const WallTime now{std::chrono::seconds{1'800'000'000}};
  const auto message = aws::read_job_message(body, now);
  if (!message) return;
  const Job& job = message->job;
  require(is_valid_function_id(job.request_id.value), "a job has an id that can be a part of keys");
  if (message->cannot_run) {
    require(!message->cannot_run->code.empty(), "what can't run says why");
    return;
  }
  require(is_valid_function_id(job.function_id.value) && !job.code.key.empty(), "a job has a function with code");
  require(job.memory_mb >= limits::kMinMemoryMb && job.memory_mb <= limits::kMaxMemoryMb, "memory is in its bounds");
  require(job.timeout >= limits::kMinTimeout && job.timeout <= limits::kMaxTimeout, "a time-out is in its bounds");
  require(message->input_key.empty() || message->input_key == payload_key(job.request_id), "an input is the job's own");
  JsonCursor input(job.input);
  require(input.value() && input.at_end(), "an input is JSON");

  const std::string written = aws::write_job_message(job, "bucket", message->input_key);
  const auto again = aws::read_job_message(written, now);
  require(again && !again->cannot_run, "a job that is written is read");
  require(again->input_key == message->input_key, "a job's input stays where it is");
  require(aws::write_job_message(again->job, "bucket", again->input_key) == written,
          "a job that is written reads the same");
}

}  // namespace

INFRA_FUZZ_TARGET(job_message, read_messages);

}  // namespace infra::fuzz
