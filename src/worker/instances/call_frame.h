// The JSON of docs/runner-protocol.md: a call as the worker sends it, and a runner's answer, which is not to be
// trusted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/job.h"
#include "core/time.h"
#include "worker/instances/leftovers.h"
#include "worker/runner/frame_reader.h"

namespace infra::worker {

struct CallFrame {
  const Job& job;
  std::string model_id;  // never empty
  WallTime deadline;
  std::uint16_t ai_port = 0;  // 0: no AI_ENDPOINT
  bool only_load = false;     // the code, for a later call: there is no request
};

[[nodiscard]] std::string to_json(const CallFrame& call);

// The environment that a compiled program is started with, by its first call: the variables that all of its calls
// share.
[[nodiscard]] std::string to_start_json(const CallFrame& call);

struct Answer {
  bool ok = false;
  bool plain = false;  // a script that ran to its end: an exit code, no value
  int exit_code = 0;
  std::string value = "null";           // as the runner wrote it: valid JSON
  std::optional<std::string> text;      // the value's own text, if it is a string
  const ErrorEntry* failure = nullptr;  // one that the protocol lists
  std::string message;
  bool reusable = false;
  Leftover left = Leftover::nothing;  // what the runner says that the call left in its process
  std::optional<double> handler_ms;
};

// `invalid` if it is no answer to the call `request_id`. The frame's text becomes the value's, without another copy.
[[nodiscard]] Result<Answer> parse_answer(Frame frame, const RequestId& request_id);

}  // namespace infra::worker
