#include "cli/event_stream.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <utility>

namespace infra::cli {
namespace {

constexpr std::chrono::hours kLongestStream{24};
constexpr std::size_t kMaxLine = 1024 * 1024;  // a server of ours sends no longer ones

}  // namespace

Outcome<Answer> listen_to(Api& events, std::string_view function, net::BlockingCall call) {
  call.timeout = kLongestStream;
  call.max_response_bytes = std::numeric_limits<std::uint64_t>::max();
  return events.send(std::move(call), "/events?kinds=run,log&functions=" + net::percent_encode(reference(function)));
}

void EventReader::take(std::string_view piece) {
  while (!piece.empty()) {
    const auto end = std::min(piece.find('\n'), piece.size());
    line_.append(piece.substr(0, std::min(end, kMaxLine - line_.size())));
    if (end == piece.size()) return;
    take_line(line_);
    line_.clear();
    piece.remove_prefix(end + 1);
  }
}

void EventReader::take_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with(':')) event_.kind = "beat";
  const auto field = [&](std::string_view name) {
    return line.starts_with(name) ? line.substr(name.size()) : std::string_view();
  };
  if (const auto kind = field("event: "); !kind.empty()) event_.kind = kind;
  if (const auto data = field("data: "); !data.empty()) event_.data = data;
  if (const auto id = field("id: "); !id.empty()) id_ = id;
  if (!line.empty()) return;
  if (!id_.empty()) last_id_ = std::exchange(id_, {});
  const StreamedEvent event = std::exchange(event_, {});
  if (!event.kind.empty()) sink_(event);
}

void EventReader::begin_anew() {
  line_.clear();
  event_ = {};
  id_.clear();
}

}  // namespace infra::cli
