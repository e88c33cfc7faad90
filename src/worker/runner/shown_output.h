// What a function prints, told line by line while it runs: only where somebody looks on, and never for longer than it
// takes to put it down.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "core/live_event.h"
#include "ports/clock.h"
#include "ports/live_events.h"

namespace infra::worker {

struct ShownRun {
  LiveEvents& live;
  const Clock& clock;
  const FunctionId function;
  const RequestId request;
};

// One of its two streams.
class ShownLines {
 public:
  ShownLines(const ShownRun& run, OutputStream stream) : run_(run), stream_(stream) {}

  // Tells of the lines that are whole by now; of a longer one than kMaxLiveLine the beginning.
  void append(std::string_view part);
  void flush();  // what is left is a line too

 private:
  void tell();

  const ShownRun& run_;
  const OutputStream stream_;
  std::string line_;  // begun, at most kMaxLiveLine of it
};

struct ShownOutput {
  ShownOutput(LiveEvents& live, const Clock& clock, FunctionId function, RequestId request)
      : run{.live = live, .clock = clock, .function = std::move(function), .request = std::move(request)} {}

  const ShownRun run;
  ShownLines out{run, OutputStream::out};
  ShownLines err{run, OutputStream::err};
};

}  // namespace infra::worker
