#include "adapters/sqlite/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <system_error>

#include "adapters/sqlite/database_schema.h"
#include "adapters/sqlite/row_codec.h"
#include "core/error_codes.h"
#include "telemetry/log.h"
#include "telemetry/task_failures.h"

namespace infra {
namespace {

constexpr std::size_t kMaxGroup = 512;  // bounds how long the first of a group waits for the last
constexpr std::chrono::milliseconds kGather{10};
constexpr std::size_t kGroupDue = 32;  // the runs that a worker has under way wait no longer than for each other
constexpr std::size_t kMaxBacklog = 8192;
constexpr std::size_t kMaxBacklogBytes = 64U * 1024 * 1024;
constexpr std::size_t kMaxIdleReaders = 4;
constexpr std::uint64_t kPageBytes = 4096;
constexpr std::int64_t kSweepBatch = 200;

Error stopping_error() {
  return {errors::shutting_down, "The program is stopping."};
}

Error at_start(const std::filesystem::path& file, Error error) {
  error.message = fmt::format("Can't open the database {}. {}", file.string(), error.message);
  return error;
}

// SQLite would make it world-readable, and functions' environments hold secrets.
Result<void> create_private(const std::filesystem::path& file) {
  const int handle = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (handle < 0) {
    const std::error_code reason(errno, std::generic_category());
    return fail(errors::engine_unavailable, fmt::format("The system says: {}.", reason.message()));
  }
  ::close(handle);
  return {};
}

// Changes a row, whatever it held.
Result<void> write_anything(sqlite::Connection& connection) {
  return connection.execute("INSERT INTO write_check VALUES(1, 1) ON CONFLICT DO UPDATE SET writes = writes + 1");
}

// What an earlier program wrote into the log, and could not sync, the system may show us and never write: a log that
// goes on behind it would end there for the next one, who then finds old pages in front of it. So it is copied into the
// file, and begun anew, on the disk, before anything is confirmed.
Result<void> begin_log_anew(sqlite::Connection& connection) {
  if (auto copied = connection.restart_log(); !copied) return copied;
  return write_anything(connection);
}

Result<std::unique_ptr<sqlite::Connection>> open_writer(const std::filesystem::path& file) {
  if (auto created = create_private(file); !created) return fail(created.error());
  auto connection = sqlite::Connection::open(file, sqlite::Connection::Mode::create);
  if (!connection) return connection;
  for (const char* setting : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = OFF",
                              "PRAGMA journal_size_limit = 67108864", "PRAGMA cache_size = -16384"}) {
    if (auto set = (*connection)->execute(setting); !set) return fail(set.error());
  }
  if (auto migrated = migrate(**connection); !migrated) return fail(migrated.error());
  if (auto begun = begin_log_anew(**connection); !begun) return fail(begun.error());
  return connection;
}

// A write that breaks is undone alone, as one that fails.
Result<void> apply_guarded(sqlite::Connection& connection, const Database::Write& write) {
  try {
    return write.apply(connection);
  } catch (...) {
    report_task_failure("database write", std::current_exception());
    return fail(internal_error());
  }
}

Result<void> apply_one(sqlite::Connection& connection, const Database::Write& write) {
  if (auto opened = connection.execute("SAVEPOINT one"); !opened) return opened;
  auto outcome = apply_guarded(connection, write);
  // SQLite ends the whole transaction by itself after some errors (a full disk, an I/O error).
  if (!connection.in_transaction()) return outcome;
  if (!outcome) {
    if (auto undone = connection.execute("ROLLBACK TO one"); !undone) return undone;
  }
  if (auto released = connection.execute("RELEASE one"); !released) return released;
  return outcome;
}

// A full disk may already stop a single write of a group, before the commit.
Result<void> first_engine_failure(const std::vector<Result<void>>& outcomes) {
  const auto failed = std::ranges::find_if(
      outcomes, [](const auto& outcome) { return !outcome && outcome.error().kind == ErrorKind::unavailable; });
  return failed == outcomes.end() ? Result<void>{} : *failed;
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& file, Executor& executor, Clock& clock) {
  auto connection = open_writer(file);
  if (!connection) return fail(at_start(file, connection.error()));
  std::unique_ptr<Database> database(new Database(file, executor, clock));
  database->connection_ = std::move(*connection);
  // An empty write lets the writer look at the log where no other comes.
  auto checkpoints = LogCheckpoints::start(file, executor, clock, [raw = database.get()] {
    raw->submit({.apply = [](sqlite::Connection&) { return Result<void>{}; },
                 .settled = [](const Result<void>&) {},
                 .urgent = false});
  });
  if (!checkpoints) return fail(at_start(file, checkpoints.error()));
  database->checkpoints_ = std::move(*checkpoints);
  database->writer_ = executor.background("db writer", [raw = database.get()] { return raw->write_on(); });
  return database;
}

Database::Database(std::filesystem::path file, Executor& executor, Clock& clock)
    : file_(std::move(file)), executor_(executor), clock_(clock) {}

Database::~Database() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  if (writer_) {
    writer_->run_until([this] {
      const MutexLock lock(mutex_);
      return backlog_ == 0;  // and the log has been tended
    });
  }
  checkpoints_.reset();  // may wake the writer, which has nothing more to do with it
  writer_.reset();
}

void Database::submit(Write write) {
  {
    MutexLock lock(mutex_);
    if (stopping_) {
      lock.unlock();
      write.settled(fail(stopping_error()));
      return;
    }
    const bool was_due = is_group_due();
    urgent_ += write.urgent ? 1 : 0;
    backlog_bytes_ += write.bytes;
    ++backlog_;
    queue_.push_back(std::move(write));
    // The first has woken the writer, which may be gathering: one more is nothing to wake it for, unless it makes the
    // group due. That costs the submitting thread more than the rest of this.
    if (queue_.size() > 1 && (was_due || !is_group_due())) return;
  }
  writer_->wake();
}

bool Database::is_group_due() const {
  return stopping_ || urgent_ > 0 || queue_.size() >= kGroupDue;
}

Task<void> Database::write_behind(Write write) {
  co_await wait_for_room();
  write.urgent = false;
  submit(std::move(write));
}

Task<void> Database::wait_for_room() {
  while (true) {
    std::shared_ptr<Signal> room;
    {
      const MutexLock lock(mutex_);
      if (stopping_ || (backlog_ < kMaxBacklog && backlog_bytes_ < kMaxBacklogBytes)) co_return;
      room = clock_.make_signal();
      waiting_for_room_.push_back(room);
    }
    co_await room->wait_until(SteadyTime::max());
  }
}

// The writer's step: the first look at writes that may wait gives others the time to come, the second commits.
SteadyTime Database::write_on() {
  std::vector<Write> group;
  {
    const MutexLock lock(mutex_);
    if (queue_.empty()) return SteadyTime::max();
    gathering_ = !gathering_ && !is_group_due();
    if (gathering_) return clock_.steady_now() + kGather;
    group = take_group();
  }
  commit_group(group);
  tend_log();
  std::vector<std::shared_ptr<Signal>> waiting;
  bool more = false;
  {
    const MutexLock lock(mutex_);
    backlog_ -= group.size();
    for (const auto& write : group) backlog_bytes_ -= write.bytes;
    waiting.swap(waiting_for_room_);
    more = !queue_.empty();
  }
  for (const auto& room : waiting) room->notify();
  return more ? SteadyTime{} : SteadyTime::max();
}

// Everything that waits, up to kMaxGroup.
std::vector<Database::Write> Database::take_group() {
  const std::size_t count = std::min(queue_.size(), kMaxGroup);
  std::vector<Write> group;
  group.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    urgent_ -= queue_.front().urgent ? 1 : 0;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

void Database::commit_group(std::vector<Write>& group) {
  std::vector<Result<void>> outcomes(group.size());
  const auto committed = apply_group(group, outcomes);
  if (!committed && connection_->in_transaction()) {
    if (auto undone = connection_->execute("ROLLBACK"); !undone)
      log::error("A failed commit could not be rolled back.");
  }
  note_outcome(committed ? first_engine_failure(outcomes) : committed);
  if (committed) ++commits_;
  for (std::size_t i = 0; i < group.size(); ++i) {
    try {
      // What a write was refused for may be the work of another that is undone with it.
      group[i].settled(committed ? outcomes[i] : committed);
    } catch (...) {
      report_task_failure("database write", std::current_exception());
    }
    group[i].apply = nullptr;  // what the write holds goes here, not with the whole group
    group[i].settled = nullptr;
  }
}

Result<void> Database::apply_group(const std::vector<Write>& group, std::vector<Result<void>>& outcomes) {
  if (auto begun = connection_->execute("BEGIN IMMEDIATE"); !begun) return begun;
  bool failing = false;
  {
    const MutexLock lock(mutex_);
    failing = last_failure_.has_value();
  }
  // What failed last may lie whole at the log's end, and a crash would bring it back: this commit is written over it,
  // also where its own writes change nothing.
  if (failing) {
    if (auto written = write_anything(*connection_); !written) return written;
  }
  for (std::size_t i = 0; i < group.size(); ++i) {
    outcomes[i] = apply_one(*connection_, group[i]);
    if (connection_->in_transaction()) continue;
    if (!outcomes[i]) return outcomes[i];
    return fail(errors::engine_unavailable, "The database ended a transaction before its commit.");
  }
  return connection_->execute("COMMIT");
}

void Database::note_outcome(const Result<void>& outcome) {
  bool changed = false;
  {
    const MutexLock lock(mutex_);
    changed = last_failure_.has_value() == outcome.has_value();
    last_failure_ = outcome ? std::nullopt : std::optional<Error>(outcome.error());
  }
  if (!changed) return;
  if (outcome) {
    log::info("The database takes writes again.");
  } else {
    log::error("The database did not take a write.",
               {{"code", outcome.error().code}, {"reason", outcome.error().message}});
  }
}

void Database::tend_log() {
  checkpoints_->note(connection_->wal_pages());
  if (!checkpoints_->may_restart()) return;
  if (auto done = connection_->restart_log(); !done) {
    log::warn("The write-ahead log could not begin anew.", {{"reason", done.error().message}});
  }
  checkpoints_->note(connection_->wal_pages());
}

std::uint64_t Database::log_bytes() const {
  return static_cast<std::uint64_t>(checkpoints_->pages()) * kPageBytes;
}

void Database::list_holdings(Holdings& into) {
  const MutexLock lock(mutex_);
  // A sweep's may be on its way at any time; the end of the database commits it.
  into.push_back({.what = "writes of the database", .held = backlog_, .of_waiting = true});
  into.push_back({.what = "bytes of writes of the database", .held = backlog_bytes_, .of_waiting = true});
  into.push_back({"who waits to write", waiting_for_room_.size()});
}

Result<std::unique_ptr<sqlite::Connection>> Database::borrow_reader() {
  {
    const MutexLock lock(readers_mutex_);
    if (!readers_.empty()) {
      auto reader = std::move(readers_.back());
      readers_.pop_back();
      return reader;
    }
  }
  return sqlite::Connection::open(file_, sqlite::Connection::Mode::read_only);
}

void Database::return_reader(std::unique_ptr<sqlite::Connection> reader) {
  const MutexLock lock(readers_mutex_);
  if (readers_.size() < kMaxIdleReaders) readers_.push_back(std::move(reader));
}

Task<Result<void>> Database::sweep(std::string_view sql, WallTime before, std::function<void(std::int64_t)> deleted) {
  while (true) {
    const auto swept = co_await write<std::int64_t>(
        [sql, before](sqlite::Connection& connection) -> Result<std::int64_t> {
          auto done = connection.prepare(sql).bind(to_column(before)).bind(kSweepBatch).run();
          if (!done) return fail(done.error());
          return connection.changes();
        },
        [deleted](const Result<std::int64_t>& outcome) {
          if (outcome && deleted) deleted(*outcome);
        });
    if (!swept) co_return fail(swept.error());
    if (*swept < kSweepBatch) co_return Result<void>{};
  }
}

Task<Result<void>> Database::check() {
  auto readable = co_await read<void>([](sqlite::Connection& connection) -> Result<void> {
    auto value = connection.query_integer("SELECT count(*) FROM (SELECT 1 FROM functions LIMIT 1)");
    if (!value) return fail(value.error());
    return {};
  });
  if (!readable) co_return readable;
  bool failing = false;
  bool stopping = false;
  {
    const MutexLock lock(mutex_);
    failing = last_failure_.has_value();
    stopping = stopping_;
  }
  if (stopping) co_return fail(stopping_error());
  if (!failing) co_return Result<void>{};
  co_return co_await write<void>(write_anything);
}

}  // namespace infra
