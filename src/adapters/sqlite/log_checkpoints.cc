#include "adapters/sqlite/log_checkpoints.h"

#include <chrono>
#include <utility>

#include "telemetry/log.h"
#include "telemetry/thread_stacks.h"

namespace infra {
namespace {

// A reader that holds the log up may end without a commit that would tell of it.
constexpr std::chrono::seconds kLookAgain{1};

}  // namespace

Result<std::unique_ptr<LogCheckpoints>> LogCheckpoints::start(const std::filesystem::path& file,
                                                              std::function<void()> on_restartable) {
  auto connection = sqlite::Connection::open(file, sqlite::Connection::Mode::create);
  if (!connection) return fail(connection.error());
  if (auto set = (*connection)->execute("PRAGMA synchronous = FULL"); !set) return fail(set.error());
  std::unique_ptr<LogCheckpoints> made(new LogCheckpoints(std::move(*connection), std::move(on_restartable)));
  const QuietThreads quiet;
  made->thread_ = std::thread([raw = made.get()] { raw->run(); });
  return made;
}

LogCheckpoints::LogCheckpoints(std::unique_ptr<sqlite::Connection> connection, std::function<void()> on_restartable)
    : connection_(std::move(connection)), on_restartable_(std::move(on_restartable)) {}

LogCheckpoints::~LogCheckpoints() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

// Wakes the thread once for each 4 MiB, not once a commit: somebody may hold the copying up for hours.
void LogCheckpoints::note(int pages) {
  if (pages < pages_) {  // it has begun anew
    copied_ = 0;
    next_at_ = kCopyEvery;
  }
  pages_ = pages;
  if (pages < next_at_) return;
  next_at_ = pages + kCopyEvery;
  {
    const MutexLock lock(mutex_);
    due_ = true;
  }
  changed_.notify_one();
}

bool LogCheckpoints::may_restart() const {
  return pages_ >= kRestartPast && !is_behind();
}

void LogCheckpoints::run() {
  while (true) {
    {
      const MutexLock lock(mutex_);
      const bool held_up = pages_ >= kRestartPast;
      const auto again = std::chrono::steady_clock::now() + kLookAgain;
      while (!stopping_ && !due_) {
        if (!held_up) {
          changed_.wait(mutex_);
        } else if (!changed_.wait_until(mutex_, again)) {
          break;
        }
      }
      if (stopping_) return;
      due_ = false;
    }
    copy();
    if (may_restart()) on_restartable_();
  }
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
