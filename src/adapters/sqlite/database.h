// infra.db: the one SQLite file under the embedded engines. Writes go to one thread (the executor's, in steps) in the
// order they come, which commits everything that waits as one transaction, so that the price of an fdatasync is shared.
// Reads run on the blocking pool.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/sqlite/log_checkpoints.h"
#include "adapters/sqlite/sqlite.h"
#include "adapters/sqlite/written_bytes.h"
#include "core/error.h"
#include "core/holding.h"
#include "core/mutex.h"
#include "core/task.h"
#include "ports/background.h"
#include "ports/clock.h"
#include "ports/executor.h"
#include "ports/health_probe.h"

namespace infra {

// Any thread, unless a method says otherwise. Must outlive the engines on it.
class Database {
 public:
  // Opens or creates the file. The error names the file and says what is wrong with it.
  [[nodiscard]] static Result<std::unique_ptr<Database>> open(const std::filesystem::path& file, Executor& executor,
                                                              Clock& clock);
  // Commits what is queued, then closes.
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // One queued write. `apply` runs on the writer thread in a savepoint of its own: an error undoes this write alone.
  // `settled` runs there too, with the error or after the commit has reached the disk, in the order of submission.
  struct Write {
    std::function<Result<void>(sqlite::Connection&)> apply;
    std::function<void(const Result<void>&)> settled;
    std::size_t bytes = 0;  // what it holds in memory, roughly
    bool urgent = true;     // a caller waits for it; the others are gathered for some milliseconds
  };
  void submit(Write write);

  enum class Haste : std::uint8_t {
    urgent,  // a caller waits for it
    none,    // it may wait some milliseconds for others to share a commit with
  };
  // Waits for the commit. `committed` is called on the writer thread, after the commit and before the caller resumes.
  template <typename T>
  Task<Result<T>> write(std::function<Result<T>(sqlite::Connection&)> work,
                        std::function<void(const Result<T>&)> committed = nullptr, Haste haste = Haste::urgent,
                        std::size_t bytes = 0);
  // The same for the start of the program: blocks the calling thread.
  template <typename T>
  Result<T> write_now(std::function<Result<T>(sqlite::Connection&)> work);

  // Does not wait for the commit, but for room: memory stays bounded however fast writes come.
  Task<void> write_behind(Write write);
  // Waits until the backlog of the writer is small enough to take more.
  Task<void> wait_for_room();

  // Runs `work` on the blocking pool in one read transaction. Sees every write that has settled.
  template <typename T>
  Task<Result<T>> read(std::function<Result<T>(sqlite::Connection&)> work);
  // The same on the calling thread; for the start of the program.
  template <typename T>
  Result<T> read_now(const std::function<Result<T>(sqlite::Connection&)>& work);

  // Deletes what is older than `before`, some rows a transaction so that other writes get in between. `sql` takes the
  // time and how many rows at the most; `deleted` (may be empty) is called on the writer thread with each batch's
  // count.
  Task<Result<void>> sweep(std::string_view sql, WallTime before, std::function<void(std::int64_t)> deleted = {});

  // A read, and, where the last commit failed, a write that shows whether the disk takes one again.
  Task<Result<void>> check();

  [[nodiscard]] std::uint64_t commits() const { return commits_; }
  // What the write-ahead log takes on the disk: a few MiB, unless somebody outside keeps a transaction open.
  [[nodiscard]] std::uint64_t log_bytes() const;
  void list_holdings(Holdings& into);
  // Of runs: who stores their log rows and results adds to it.
  [[nodiscard]] WrittenBytes& written() { return written_; }
  [[nodiscard]] Clock& clock() { return clock_; }
  [[nodiscard]] Executor& executor() { return executor_; }

 private:
  Database(std::filesystem::path file, Executor& executor, Clock& clock);
  SteadyTime write_on();
  [[nodiscard]] std::vector<Write> take_group() INFRA_REQUIRES(mutex_);
  [[nodiscard]] bool is_group_due() const INFRA_REQUIRES(mutex_);
  void commit_group(std::vector<Write>& group);
  [[nodiscard]] Result<void> apply_group(const std::vector<Write>& group, std::vector<Result<void>>& outcomes);
  void note_outcome(const Result<void>& outcome);
  void tend_log();
  [[nodiscard]] Result<std::unique_ptr<sqlite::Connection>> borrow_reader();
  void return_reader(std::unique_ptr<sqlite::Connection> reader);

  const std::filesystem::path file_;
  Executor& executor_;
  Clock& clock_;
  std::unique_ptr<sqlite::Connection> connection_;  // the writer thread's
  std::unique_ptr<LogCheckpoints> checkpoints_;

  Mutex mutex_;
  std::deque<Write> queue_ INFRA_GUARDED_BY(mutex_);
  std::size_t urgent_ INFRA_GUARDED_BY(mutex_) = 0;         // of queue_
  std::size_t backlog_bytes_ INFRA_GUARDED_BY(mutex_) = 0;  // of queue_ and of the group being committed
  std::size_t backlog_ INFRA_GUARDED_BY(mutex_) = 0;
  std::vector<std::shared_ptr<Signal>> waiting_for_room_ INFRA_GUARDED_BY(mutex_);
  bool stopping_ INFRA_GUARDED_BY(mutex_) = false;
  std::optional<Error> last_failure_ INFRA_GUARDED_BY(mutex_);  // of a group; empty once one succeeds

  Mutex readers_mutex_;
  std::vector<std::unique_ptr<sqlite::Connection>> readers_ INFRA_GUARDED_BY(readers_mutex_);  // those not in use
  std::atomic<std::uint64_t> commits_ = 0;
  WrittenBytes written_;
  bool gathering_ = false;  // what is queued has been looked at, and waits for more to come; the writer thread's
  std::unique_ptr<Background> writer_;
};

// One engine's line under "checks": they share the file, so they share the check.
class DatabaseProbe final : public HealthProbe {
 public:
  DatabaseProbe(std::string name, Database& database) : name_(std::move(name)), database_(database) {}
  [[nodiscard]] std::string name() const override { return name_; }
  Task<Result<void>> probe() override { return database_.check(); }

 private:
  const std::string name_;
  Database& database_;
};

template <typename T>
Task<Result<T>> Database::write(std::function<Result<T>(sqlite::Connection&)> work,
                                std::function<void(const Result<T>&)> committed, Haste haste, std::size_t bytes) {
  struct Pending {
    std::function<Result<T>(sqlite::Connection&)> work;
    std::function<void(const Result<T>&)> committed;
    std::shared_ptr<Signal> done;
    std::optional<Result<T>> result;
  };
  // Shared, because a program that stops may destroy the caller while the write is queued.
  auto pending = std::make_shared<Pending>(Pending{std::move(work), std::move(committed), clock_.make_signal(), {}});
  submit({.apply = [pending](sqlite::Connection& connection) -> Result<void> {
            pending->result = pending->work(connection);
            if (!*pending->result) return fail(pending->result->error());
            return {};
          },
          .settled =
              [pending](const Result<void>& outcome) {
                if (!outcome) pending->result = fail(outcome.error());
                if (pending->committed) pending->committed(*pending->result);
                pending->done->notify();
              },
          .bytes = bytes,
          .urgent = haste == Haste::urgent});
  co_await pending->done->wait_until(SteadyTime::max());
  co_return std::move(*pending->result);
}

template <typename T>
Result<T> Database::write_now(std::function<Result<T>(sqlite::Connection&)> work) {
  std::optional<Result<T>> result;
  std::atomic<bool> settled = false;
  submit({.apply = [&](sqlite::Connection& connection) -> Result<void> {
            result = work(connection);
            if (!*result) return fail(result->error());
            return {};
          },
          .settled =
              [&](const Result<void>& outcome) {
                if (!outcome) result = fail(outcome.error());
                settled = true;
              }});
  writer_->run_until([&] { return settled.load(); });
  return std::move(*result);
}

template <typename T>
Task<Result<T>> Database::read(std::function<Result<T>(sqlite::Connection&)> work) {
  struct Pending {
    std::function<Result<T>(sqlite::Connection&)> work;
    std::optional<Result<T>> result;
  };
  auto pending = std::make_shared<Pending>(Pending{std::move(work), {}});
  co_await executor_.offload([this, pending] { pending->result = read_now<T>(pending->work); });
  co_return std::move(*pending->result);
}

template <typename T>
Result<T> Database::read_now(const std::function<Result<T>(sqlite::Connection&)>& work) {
  auto reader = borrow_reader();
  if (!reader) return fail(reader.error());
  if (auto begun = (*reader)->execute("BEGIN"); !begun) return fail(begun.error());
  Result<T> result = work(**reader);
  // A connection whose transaction can't be ended is not used again.
  if ((*reader)->execute("COMMIT")) return_reader(std::move(*reader));
  return result;
}

}  // namespace infra
