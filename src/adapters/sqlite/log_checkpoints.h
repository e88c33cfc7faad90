// Copies infra.db's write-ahead log into the file, on a thread of its own: no commit waits for that, nor for whoever
// else reads the file (the sqlite3 shell, a backup), however long its transaction stays open.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "adapters/sqlite/sqlite.h"
#include "core/error.h"
#include "ports/clock.h"
#include "ports/executor.h"

namespace infra {

class LogCheckpoints {
 public:
  // Pages of 4 KiB. The log is copied every 4 MiB (SQLite's own default). It begins anew by itself where a commit finds
  // it all copied; past 16 MiB, under writes without a pause, the writer is to see to that.
  static constexpr int kCopyEvery = 1000;
  static constexpr int kRestartPast = 4000;

  // `on_restartable` is called on that thread when a log past kRestartPast is nearly all copied.
  [[nodiscard]] static Result<std::unique_ptr<LogCheckpoints>> start(const std::filesystem::path& file,
                                                                     Executor& executor, const Clock& clock,
                                                                     std::function<void()> on_restartable);
  LogCheckpoints(const LogCheckpoints&) = delete;
  LogCheckpoints& operator=(const LogCheckpoints&) = delete;

  // The writer, after each commit: the log has so many pages.
  void note(int pages);
  // It is long, and what is not copied yet is little.
  [[nodiscard]] bool may_restart() const;

  [[nodiscard]] int pages() const { return pages_; }  // any thread

 private:
  LogCheckpoints(std::unique_ptr<sqlite::Connection> connection, Executor& executor, const Clock& clock,
                 std::function<void()> on_restartable);
  SteadyTime copy_on();
  void copy();
  [[nodiscard]] bool is_behind() const { return pages_ - copied_ >= kCopyEvery; }

  const std::unique_ptr<sqlite::Connection> connection_;
  const Clock& clock_;
  const std::function<void()> on_restartable_;
  std::atomic<int> pages_ = 0;
  std::atomic<int> copied_ = 0;  // of those
  int next_at_ = kCopyEvery;     // pages; the writer's
  const std::unique_ptr<Background> thread_;
};

}  // namespace infra
