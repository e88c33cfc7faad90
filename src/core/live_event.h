// What happens to runs, in the words of GET /events: each is a line of JSON, written once for all who listen.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/job_result.h"
#include "core/time.h"

namespace infra {

enum class EventKind : std::uint8_t { run, log };

[[nodiscard]] std::string_view to_string(EventKind kind);  // "run", "log"

struct LiveEvent {
  EventKind kind = EventKind::run;
  FunctionId function;
  std::string data;  // an object without line breaks
};

// A longer line of a function's is cut.
inline constexpr std::size_t kMaxLiveLine = 16 * 1024;

enum class OutputStream : std::uint8_t { out, err };

[[nodiscard]] LiveEvent run_accepted(const FunctionId& function, const RequestId& request, WallTime at);
[[nodiscard]] LiveEvent run_started(const FunctionId& function, const RequestId& request, const WorkerId& worker,
                                    WallTime at);
[[nodiscard]] LiveEvent run_finished(const JobResult& result, WallTime at);
// Accepted, and not handed out after all: it finished with an ERROR.
[[nodiscard]] LiveEvent run_refused(const FunctionId& function, const RequestId& request, WallTime at);
// `line` without its end, at most kMaxLiveLine of it.
[[nodiscard]] LiveEvent line_printed(const FunctionId& function, const RequestId& request, OutputStream stream,
                                     std::string_view line, WallTime at);

// As programs of a fleet tell each other; nullopt if it is none of ours.
[[nodiscard]] std::string to_message(const LiveEvent& event);
[[nodiscard]] std::optional<LiveEvent> parse_message(std::string_view message);

}  // namespace infra
