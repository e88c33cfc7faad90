// GET /events as a command hears it: server-sent events, read from the pieces in which they come.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/api.h"

namespace infra::cli {

struct StreamedEvent {
  std::string kind;  // of a heartbeat, which is a comment: "beat"
  std::string data;
};

// Asks for a function's runs and what they print, for as long as that goes on; `call` has what becomes of the pieces.
[[nodiscard]] Outcome<Answer> listen_to(Api& events, std::string_view function, net::BlockingCall call);

class EventReader {
 public:
  using Sink = std::function<void(const StreamedEvent&)>;
  explicit EventReader(Sink sink) : sink_(std::move(sink)) {}

  // The next piece, cut wherever.
  void take(std::string_view piece);
  // Of the last event that had one: to go on behind it.
  [[nodiscard]] const std::string& last_id() const { return last_id_; }
  // What was begun is never finished: a new answer begins.
  void begin_anew();

 private:
  void take_line(std::string_view line);

  const Sink sink_;
  std::string line_;
  StreamedEvent event_;
  std::string id_;
  std::string last_id_;
};

}  // namespace infra::cli
