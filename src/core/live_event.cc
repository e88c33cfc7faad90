#include "core/live_event.h"

#include <fmt/format.h>

#include "core/json_text.h"
#include "core/text.h"

namespace infra {
namespace {

std::string begin(const FunctionId& function, const RequestId& request) {
  return fmt::format(R"({{"requestId":{},"functionId":{})", json_quote(request.value), json_quote(function.value));
}

LiveEvent run_event(const FunctionId& function, const RequestId& request, std::string_view phase, WallTime at,
                    std::string_view more = "") {
  return {
      .kind = EventKind::run,
      .function = function,
      .data = fmt::format(R"({},"phase":"{}","at":"{}"{}}})", begin(function, request), phase, to_iso8601(at), more)};
}

}  // namespace

std::string_view to_string(EventKind kind) {
  return kind == EventKind::run ? "run" : "log";
}

LiveEvent run_accepted(const FunctionId& function, const RequestId& request, WallTime at) {
  return run_event(function, request, "accepted", at);
}

LiveEvent run_started(const FunctionId& function, const RequestId& request, const WorkerId& worker, WallTime at) {
  return run_event(function, request, "started", at, fmt::format(R"(,"workerId":{})", json_quote(worker.value)));
}

LiveEvent run_finished(const JobResult& result, WallTime at) {
  return run_event(result.function_id, result.request_id, "finished", at,
                   fmt::format(R"(,"status":"{}","durationMs":{},"coldStart":{},"peakMemoryBytes":{},"workerId":{})",
                               to_string(result.status), json_number(result.duration_ms), result.cold_start,
                               result.peak_memory_bytes, json_quote(result.worker_id.value)));
}

LiveEvent run_refused(const FunctionId& function, const RequestId& request, WallTime at) {
  return run_event(function, request, "finished", at, fmt::format(R"(,"status":"{}")", to_string(RunStatus::error)));
}

LiveEvent line_printed(const FunctionId& function, const RequestId& request, OutputStream stream, std::string_view line,
                       WallTime at) {
  return {.kind = EventKind::log,
          .function = function,
          .data = fmt::format(R"({},"stream":"{}","text":{},"at":"{}"}})", begin(function, request),
                              stream == OutputStream::out ? "stdout" : "stderr",
                              json_quote(cut_utf8(line, kMaxLiveLine)), to_iso8601(at))};
}

std::string to_message(const LiveEvent& event) {
  return fmt::format("{}\n{}\n{}", to_string(event.kind), event.function.value, event.data);
}

std::optional<LiveEvent> parse_message(std::string_view message) {
  const auto kind_end = message.find('\n');
  if (kind_end == std::string_view::npos) return std::nullopt;
  const auto function_end = message.find('\n', kind_end + 1);
  if (function_end == std::string_view::npos) return std::nullopt;
  LiveEvent event;
  const std::string_view kind = message.substr(0, kind_end);
  if (kind != to_string(EventKind::run) && kind != to_string(EventKind::log)) return std::nullopt;
  event.kind = kind == to_string(EventKind::run) ? EventKind::run : EventKind::log;
  event.function = {std::string(message.substr(kind_end + 1, function_end - kind_end - 1))};
  event.data = message.substr(function_end + 1);
  const bool sound =
      event.data.starts_with('{') && event.data.ends_with('}') && event.data.find_first_of("\r\n") == std::string::npos;
  if (!sound) return std::nullopt;
  return event;
}

}  // namespace infra
