// The last things that happened to functions and their runs, as GET /logs shows them: in the words that the reference
// platform's dashboard looks for, each of which is in messages of one kind only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/job_result.h"
#include "core/mutex.h"
#include "telemetry/log.h"

namespace infra {

// A run's outcome.
struct RunFigures {
  RunStatus status = RunStatus::error;
  int exit_code = 0;
  double duration_ms = 0;
  std::optional<double> handler_ms;
  int memory_mb = 0;  // its peak
};

// Never has an input, an output, or a text of a client's other than an id.
struct Event {
  std::uint64_t number = 0;  // from 1 on
  log::Level level = log::Level::info;
  WallTime time;
  std::string message;   // cut at 200 units of UTF-16
  std::string function;  // its id; empty: about none
  std::string request;   // the same
  std::optional<RunFigures> run;
};

// Any thread. The last hundred are held, which once the ring is full takes no memory from an event to the next.
class EventRing {
 public:
  static constexpr std::size_t kKept = 100;

  using Now = std::function<WallTime()>;
  // `seed` is random: events of two programs have different ids.
  EventRing(const UuidRandom& seed, Now now) : seed_(seed), now_(std::move(now)), events_(kKept) {}

  void run_requested(const FunctionId& function, const RequestId& request);
  // Once a request id, however often it is told.
  void run_finished(const JobResult& result);
  void wait_ended(const FunctionId& function, const RequestId& request);
  void uploaded(const FunctionId& function);
  void updated(const FunctionId& function);
  void deleted(const FunctionId& function);

  // A request that failed, "POST /run", and a line of the log. What repeats within a minute is told once: it would push
  // all else out.
  void refused(std::string_view what, int status, std::string_view code, const FunctionId& function,
               const RequestId& request);
  void warned(log::Level level, std::string_view message, log::Fields fields);

  [[nodiscard]] std::vector<Event> newest_first() const;
  // A UUID, the same whenever it is asked for.
  [[nodiscard]] std::string id_of(const Event& event) const;

 private:
  void note(log::Level level, std::string_view message, std::string_view function, std::string_view request);
  void note_unless_repeated(log::Level level, std::string_view message, std::string_view function,
                            std::string_view request);
  Event& begin(log::Level level, std::string_view message, std::string_view function, std::string_view request)
      INFRA_REQUIRES(mutex_);

  const UuidRandom seed_;
  const Now now_;
  mutable Mutex mutex_;
  std::vector<Event> events_ INFRA_GUARDED_BY(mutex_);
  std::uint64_t noted_ INFRA_GUARDED_BY(mutex_) = 0;  // the newest event's number; it is at this place, modulo kKept
};

}  // namespace infra
