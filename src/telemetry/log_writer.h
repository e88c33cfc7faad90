// Writes lines to a descriptor from a thread of its own, because whoever reads them may stall: a full pipe then costs
// lines, which are counted, and never an event thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "core/time.h"

namespace infra::log {

class LogWriter {
 public:
  struct Options {
    std::size_t capacity = 1024UL * 1024;  // bytes of lines that wait, or are on their way to the descriptor
    // Where the line before was written less than so long ago, the thread sleeps for so long before it looks again:
    // in busy times a line costs no wake-up and a share of one write.
    milliseconds linger{20};
  };

  // `note` makes the line that says how many were dropped. Until start() whoever puts a line writes it.
  LogWriter(int descriptor, std::function<std::string(std::uint64_t)> note, Options options);
  LogWriter(int descriptor, std::function<std::string(std::uint64_t)> note)
      : LogWriter(descriptor, std::move(note), Options()) {}
  ~LogWriter();  // stop(0)
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  void start();
  // Writes what waits, for `patience` at most. A thread that hangs in a write by then is left to itself, and lines are
  // dropped from now on; else whoever puts one writes it again.
  void stop(milliseconds patience);

  // `line` has no line feed yet. Any thread; does not block between start() and stop().
  void put(std::string_view line);
  // True when all that was put before is written. Any thread.
  bool flush(milliseconds patience);
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  struct State;
  const std::shared_ptr<State> state_;  // the thread's as well, which may be left behind
  std::thread thread_;
};

}  // namespace infra::log
