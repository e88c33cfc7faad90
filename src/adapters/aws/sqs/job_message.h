// A job as an SQS message, in the form that the reference platform's controllers and workers know, with our fields
// beside theirs: both kinds of neighbour can read what the other one wrote.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/job.h"

namespace infra::aws {

// SQS's limit for a message, and for all messages of one request together.
inline constexpr std::size_t kMaxMessageBytes = 256 * 1024;

// The message body. With an `input_key` it names that object in place of the input. Characters that SQS refuses are
// escaped.
[[nodiscard]] std::string write_job_message(const Job& job, std::string_view bucket, std::string_view input_key = {});

struct JobMessage {
  Job job;                // its input is "{}" while it waits in the bucket
  std::string input_key;  // empty: the input came with the message
  // Why no worker can run it; the job has its ids then, and its reply channel.
  std::optional<Error> cannot_run;
};

// Reads a message of ours, or of a reference controller: what that one does not send, or sends as its worker would not
// mind, gets its default or the nearest value, and `now` is when the job was accepted if its id does not say. `invalid`
// (code invalid_message) if it has no request id, so that no waiter could be told.
[[nodiscard]] Result<JobMessage> read_job_message(std::string_view body, WallTime now);

}  // namespace infra::aws
