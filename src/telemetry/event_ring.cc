#include "telemetry/event_ring.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "core/text.h"

namespace infra {
namespace {

constexpr std::size_t kMaxIdBytes = 128;
constexpr std::size_t kMessageUnits = 200;
constexpr std::chrono::minutes kRepetition{1};

std::string_view text_of(log::Fields fields, std::string_view name) {
  const auto* field = std::ranges::find(fields, name, &log::Field::name);
  const auto* text = field == fields.end() ? nullptr : std::get_if<std::string_view>(&field->value);
  return text == nullptr ? std::string_view() : *text;
}

}  // namespace

// The oldest event's place, with its strings' memory. Under the lock.
Event& EventRing::begin(log::Level level, std::string_view message, std::string_view function,
                        std::string_view request) {
  Event& event = events_[++noted_ % kKept];
  event.number = noted_;
  event.level = level;
  event.time = now_();
  event.message = message;
  event.function = cut_utf8(function, kMaxIdBytes);
  event.request = cut_utf8(request, kMaxIdBytes);
  event.run.reset();
  return event;
}

void EventRing::note(log::Level level, std::string_view message, std::string_view function, std::string_view request) {
  const MutexLock lock(mutex_);
  begin(level, message, function, request);
}

void EventRing::note_unless_repeated(log::Level level, std::string_view message, std::string_view function,
                                     std::string_view request) {
  const std::string text = shorten(replace_invalid_utf8(message), kMessageUnits);
  const MutexLock lock(mutex_);
  const WallTime since = now_() - kRepetition;
  const bool repeated = std::ranges::any_of(events_, [&](const Event& event) {
    return event.number > 0 && event.time > since && event.level == level && event.message == text &&
           event.function == function;
  });
  if (!repeated) begin(level, text, function, request);
}

void EventRing::run_requested(const FunctionId& function, const RequestId& request) {
  note(log::Level::info, "Run Request", function.value, request.value);
}

void EventRing::wait_ended(const FunctionId& function, const RequestId& request) {
  note(log::Level::warn, "Timeout: the client's wait is over, and the function runs on", function.value, request.value);
}

void EventRing::uploaded(const FunctionId& function) {
  note(log::Level::info, "Upload Success", function.value, "");
}

void EventRing::updated(const FunctionId& function) {
  note(log::Level::info, "Function Updated", function.value, "");
}

void EventRing::deleted(const FunctionId& function) {
  note(log::Level::info, "Function Deleted", function.value, "");
}

void EventRing::run_finished(const JobResult& result) {
  const std::string& request = result.request_id.value;
  const MutexLock lock(mutex_);
  const auto tells_of_it = [&](const Event& event) { return event.run.has_value() && event.request == request; };
  if (!request.empty() && std::ranges::any_of(events_, tells_of_it)) return;
  const bool success = result.status == RunStatus::success;
  Event& event =
      begin(success ? log::Level::info : log::Level::error, "Function Executed: ", result.function_id.value, request);
  event.message += event.function;
  event.run = {.status = result.status,
               .exit_code = result.exit_code,
               .duration_ms = result.duration_ms,
               .handler_ms = result.handler_ms,
               .memory_mb = peak_memory_mb(result.peak_memory_bytes)};
}

void EventRing::refused(std::string_view what, int status, std::string_view code, const FunctionId& function,
                        const RequestId& request) {
  const bool ours = status >= 500;
  note_unless_repeated(ours ? log::Level::error : log::Level::warn,
                       fmt::format("Request {}: {}: {} {}", ours ? "Failed" : "Refused", what, status, code),
                       function.value, request.value);
}

void EventRing::warned(log::Level level, std::string_view message, log::Fields fields) {
  const auto code = text_of(fields, "code");
  note_unless_repeated(level, code.empty() ? std::string(message) : fmt::format("{}: {}", message, code),
                       text_of(fields, "functionId"), text_of(fields, "requestId"));
}

std::vector<Event> EventRing::newest_first() const {
  const MutexLock lock(mutex_);
  std::vector<Event> newest;
  newest.reserve(kKept);
  for (std::size_t i = 0; i < kKept && i < noted_; ++i) newest.push_back(events_[(noted_ - i) % kKept]);
  return newest;
}

// The event's number is added to what is random: no two are the same, and none needs randomness of its own.
std::string EventRing::id_of(const Event& event) const {
  UuidRandom bytes = seed_;
  std::uint64_t carry = event.number;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
    carry += std::to_integer<std::uint64_t>(*byte);
    *byte = static_cast<std::byte>(carry & 0xff);
    carry >>= 8;
  }
  return make_uuid_v7(event.time, bytes);
}

}  // namespace infra
