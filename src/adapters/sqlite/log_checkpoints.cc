#include "adapters/sqlite/log_checkpoints.h"

#include <chrono>
#include <utility>

#include "telemetry/log.h"

namespace infra {
namespace {

// A reader that holds the log up may end without a commit that would tell of it.
constexpr std::chrono::seconds kLookAgain{1};

}  // namespace

Result<std::unique_ptr<LogCheckpoints>> LogCheckpoints::start(const std::filesystem::path& file, Executor& executor,
                                                              const Clock& clock,
                                                              std::function<void()> on_restartable) {
  auto connection = sqlite::Connection::open(file, sqlite::Connection::Mode::create);
  if (!connection) return fail(connection.error());
  if (auto set = (*connection)->execute("PRAGMA synchronous = FULL"); !set) return fail(set.error());
  return std::unique_ptr<LogCheckpoints>(
      new LogCheckpoints(std::move(*connection), executor, clock, std::move(on_restartable)));
}

LogCheckpoints::LogCheckpoints(std::unique_ptr<sqlite::Connection> connection, Executor& executor, const Clock& clock,
                               std::function<void()> on_restartable)
    : connection_(std::move(connection)),
      clock_(clock),
      on_restartable_(std::move(on_restartable)),
      thread_(executor.background("db log", [this] { return copy_on(); })) {}

// Wakes the thread once for each 4 MiB, not once a commit: somebody may hold the copying up for hours.
void LogCheckpoints::note(int pages) {
  if (pages < pages_) {  // it has begun anew
    copied_ = 0;
    next_at_ = kCopyEvery;
  }
  pages_ = pages;
  if (pages < next_at_) return;
  next_at_ = pages + kCopyEvery;
  thread_->wake();
}

bool LogCheckpoints::may_restart() const {
  return pages_ >= kRestartPast && !is_behind();
}

SteadyTime LogCheckpoints::copy_on() {
  copy();
  if (may_restart()) on_restartable_();
  return pages_ >= kRestartPast ? clock_.steady_now() + kLookAgain : SteadyTime::max();
}

void LogCheckpoints::copy() {
  const auto copied = connection_->copy_log();
  if (!copied) {
    log::warn("The write-ahead log could not be copied into the database.", {{"reason", copied.error().message}});
    return;
  }
  if (*copied <= pages_) copied_ = *copied;  // else the log has begun anew meanwhile
}

}  // namespace infra
