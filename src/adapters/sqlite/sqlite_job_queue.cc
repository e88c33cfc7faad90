#include "adapters/sqlite/sqlite_job_queue.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "adapters/sqlite/job_row.h"
#include "core/limits.h"
#include "core/operator_error_codes.h"

namespace infra {
namespace {

using sqlite::Connection;

constexpr std::chrono::hours kDeadLetterTtl{14 * 24};
constexpr std::string_view kSweep =
    "DELETE FROM jobs WHERE seq IN (SELECT seq FROM jobs WHERE dead_at IS NOT NULL AND dead_at<=? ORDER BY dead_at "
    "LIMIT ?)";

std::uint64_t size_of(const Job& job) {
  std::uint64_t bytes = sizeof(Job) + job.input.size();
  for (const auto& [name, value] : job.env) bytes += name.size() + value.size();
  return bytes;
}

constexpr std::string_view kLine =
    "SELECT j.seq, j.receives, j.bytes, ifnull(s.strikes, 0), j.function_id, j.code_key, j.code_sha256 "
    "FROM jobs j LEFT JOIN job_starts s ON s.seq=j.seq WHERE j.dead_at IS NULL ORDER BY j.seq";

Result<std::shared_ptr<JobLine>> read_line(Connection& connection, const QueueBounds& bounds, const EpochStart& start) {
  const auto last = connection.query_integer("SELECT ifnull(max(seq), 0) FROM jobs");
  const auto dead = connection.query_integer("SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL");
  if (!last || !dead) return fail(last ? dead.error() : last.error());
  auto line = std::make_shared<JobLine>(bounds, *last + 1, *dead);
  for (const auto& [version, jobs] : start.suspects) {
    for (int i = 0; i < jobs; ++i) line->accuse(version);
  }
  auto rows = connection.prepare(kLine);
  while (true) {
    const auto row = rows.step();
    if (!row) return fail(row.error());
    if (!*row) return line;
    line->restore({.seq = rows.integer(0),
                   .receives = static_cast<int>(rows.integer(1)),
                   .bytes = static_cast<std::uint64_t>(rows.integer(2)),
                   .strikes = static_cast<int>(rows.integer(3))},
                  {rows.text(4)}, {.key = rows.text(5), .sha256 = rows.text(6)});
  }
}

// A receiver's place among those who wait. A wake-up that its coroutine does not live to use is passed on.
class WaitingReceiver {
 public:
  WaitingReceiver(JobLine& line, Clock& clock)
      : line_(line), signal_(clock.make_signal()), enlisted_(line.enlist(signal_)) {}
  ~WaitingReceiver() {
    if (!enlisted_) return;
    line_.leave(signal_);
    if (!resumed_) line_.wake_one();
  }
  WaitingReceiver(const WaitingReceiver&) = delete;
  WaitingReceiver& operator=(const WaitingReceiver&) = delete;

  [[nodiscard]] bool enlisted() const { return enlisted_; }
  Task<void> wait_until(SteadyTime deadline) {
    co_await signal_->wait_until(deadline);
    resumed_ = true;
  }

 private:
  JobLine& line_;
  const std::shared_ptr<Signal> signal_;
  const bool enlisted_;
  bool resumed_ = false;
};

}  // namespace

Result<std::unique_ptr<SqliteJobQueue>> SqliteJobQueue::open(Database& database, QueueBounds bounds) {
  auto start = database.write_now<EpochStart>(
      [now = database.clock().now()](Connection& connection) { return begin_epoch(connection, now); });
  if (!start) return fail(start.error());
  auto line = database.read_now<std::shared_ptr<JobLine>>(
      [&](Connection& connection) { return read_line(connection, bounds, *start); });
  if (!line) return fail(line.error());
  return std::unique_ptr<SqliteJobQueue>(new SqliteJobQueue(database, std::move(*start), std::move(*line)));
}

Task<Result<void>> SqliteJobQueue::end_epoch() {
  co_return co_await database_.write<void>(
      [epoch = start_.epoch, now = database_.clock().now()](Connection& connection) {
        return infra::end_epoch(connection, epoch, now);
      });
}

Task<Result<void>> SqliteJobQueue::enqueue(const Job& job) {
  auto shared = std::make_shared<const Job>(job);
  if (job.mode == RunMode::async) co_return co_await enqueue_durable(std::move(shared));
  const std::uint64_t bytes = size_of(*shared);
  co_return line_->put_in_memory(std::move(shared), bytes);
}

Task<Result<void>> SqliteJobQueue::enqueue_durable(std::shared_ptr<const Job> job) {
  const std::uint64_t bytes = size_of(*job);
  const auto seq = line_->reserve(*job, bytes);
  if (!seq) co_return fail(seq.error());
  const auto queued = std::make_shared<QueuedJob>(QueuedJob{.seq = *seq, .bytes = bytes});
  co_return co_await database_.write<void>(
      [job, queued, line = line_, epoch = start_.epoch](Connection& connection) -> Result<void> {
        if (auto inserted = insert_job(connection, *job, *queued); !inserted) return inserted;
        queued->start_recorded = line->promise_receiver(*job);
        return queued->start_recorded ? record_start(connection, queued->seq, epoch) : Result<void>{};
      },
      // On the writer thread: the worker need not wait until this coroutine has its turn.
      [job, queued, line = line_](const Result<void>& outcome) {
        outcome ? line->put(*queued, *job) : line->release(*queued);
      });
}

Task<Result<std::vector<Delivery>>> SqliteJobQueue::receive(int max, milliseconds wait) {
  Clock& clock = database_.clock();
  const SteadyTime deadline = clock.steady_now() + wait;
  while (true) {
    if (auto taken = take(max); !taken.empty()) {
      auto deliveries = co_await fill_in(std::move(taken));
      if (!deliveries || !deliveries->empty()) co_return deliveries;
      continue;
    }
    const SteadyTime now = clock.steady_now();
    if (now >= deadline || line_->closed()) co_return std::vector<Delivery>{};
    WaitingReceiver waiting(*line_, clock);
    if (!waiting.enlisted()) continue;
    // A lease that is made while this one waits ends later than kVisibility from now.
    const SteadyTime first_end = line_->next_expiry().value_or(deadline);
    co_await waiting.wait_until(std::min({deadline, first_end, now + limits::kVisibility}));
  }
}

std::vector<HandOver> SqliteJobQueue::take(int max) {
  expire_leases();
  return line_->take(static_cast<std::size_t>(std::max(max, 0)), database_.clock().steady_now() + limits::kVisibility);
}

void SqliteJobQueue::expire_leases() {
  for (const QueuedJob& queued : line_->expire(database_.clock().steady_now())) {
    database_.submit({.apply =
                          [queued](Connection& connection) {
                            auto update = connection.prepare("UPDATE jobs SET receives=? WHERE seq=?");
                            return update.bind(queued.receives).bind(queued.seq).run();
                          },
                      .settled = [](const Result<void>&) {},
                      .urgent = false});
  }
}

Task<Result<std::optional<Delivery>>> SqliteJobQueue::receive_suspect() {
  Clock& clock = database_.clock();
  while (true) {
    expire_leases();
    const SteadyTime now = clock.steady_now();
    if (auto taken = line_->take_suspect(now + limits::kVisibility)) {
      std::vector<HandOver> one;
      one.push_back(std::move(*taken));
      auto deliveries = co_await fill_in(std::move(one));
      if (!deliveries) co_return fail(deliveries.error());
      if (!deliveries->empty()) co_return std::move(deliveries->front());
      continue;
    }
    if (!line_->has_suspects()) co_return std::nullopt;
    const auto signal = clock.make_signal();
    if (!line_->enlist_for_suspects(signal)) continue;
    co_await signal->wait_until(std::min(line_->next_expiry().value_or(SteadyTime::max()), now + limits::kVisibility));
  }
}

Task<Result<std::vector<Delivery>>> SqliteJobQueue::fill_in(std::vector<HandOver> taken) {
  auto jobs = co_await read_rows(taken);
  const auto recorded = jobs ? co_await record_starts(taken, *jobs) : Result<void>(fail(jobs.error()));
  if (!recorded) {
    for (const auto& hand_over : taken) {
      (void)line_->give_back(hand_over.receipt, database_.clock().steady_now());
      line_->drop_turn(hand_over);
    }
    co_return fail(recorded.error());
  }
  std::vector<Delivery> deliveries;
  for (std::size_t i = 0; i < taken.size(); ++i) {
    const QueuedJob& queued = taken[i].queued;
    if (!(*jobs)[i]) {
      line_->drop_turn(taken[i]);
      line_->remove(queued.seq);
      continue;
    }
    deliveries.push_back({.job = *(*jobs)[i],
                          .receipt = std::move(taken[i].receipt),
                          .receives = queued.receives + 1,
                          .fresh = queued.receives == 0 && queued.strikes == 0});
  }
  co_return deliveries;
}

Task<Result<SqliteJobQueue::Jobs>> SqliteJobQueue::read_rows(const std::vector<HandOver>& taken) {
  Jobs jobs;
  std::vector<std::int64_t> rows;
  for (const auto& hand_over : taken) {
    jobs.push_back(hand_over.queued.job);
    if (!hand_over.queued.job) rows.push_back(hand_over.queued.seq);
  }
  if (rows.empty()) co_return jobs;
  auto read = co_await database_.read<Jobs>([rows](Connection& connection) { return read_jobs(connection, rows); });
  if (!read) co_return fail(read.error());
  auto next = read->begin();
  for (auto& job : jobs) {
    if (!job) job = std::move(*next++);
  }
  co_return jobs;
}

// In one group with the settlement of the job whose slot this is, which waits for company.
Task<Result<void>> SqliteJobQueue::record_starts(const std::vector<HandOver>& taken, const Jobs& jobs) {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < taken.size(); ++i) {
    const QueuedJob& queued = taken[i].queued;
    if (jobs[i] && !queued.job && !queued.start_recorded) rows.push_back(queued.seq);
  }
  if (rows.empty()) co_return Result<void>{};
  co_return co_await database_.write<void>([rows, epoch = start_.epoch](Connection& connection) -> Result<void> {
    for (const std::int64_t seq : rows) {
      if (auto done = record_start(connection, seq, epoch); !done) return done;
    }
    return {};
  });
}

Task<Result<void>> SqliteJobQueue::extend(const std::string& receipt) {
  const SteadyTime now = database_.clock().steady_now();
  if (line_->extend(receipt, now, now + limits::kVisibility)) co_return Result<void>{};
  co_return fail(errors::receipt_dead, "The hand-over has ended; the job may be with another worker.");
}

std::optional<Database::Write> SqliteJobQueue::ending(const std::string& receipt,
                                                      std::optional<std::string> buried_for) {
  const auto queued = line_->leased(receipt, database_.clock().steady_now());
  if (!queued) return std::nullopt;
  const bool buried = buried_for.has_value();
  Database::Write write;
  if (buried) {
    const DeadLetter letter{.at = database_.clock().now(), .reason = std::move(*buried_for)};
    write.apply = [queued = *queued, letter](Connection& connection) -> Result<void> {
      if (queued.job) {
        if (auto inserted = insert_job(connection, *queued.job, queued); !inserted) return inserted;
      }
      if (auto dropped = drop_start(connection, queued.seq); !dropped) return dropped;
      return mark_dead(connection, queued, letter);
    };
  } else if (queued->job) {
    write.apply = [](Connection&) { return Result<void>{}; };
  } else {
    write.apply = [seq = queued->seq](Connection& connection) -> Result<void> {
      if (auto dropped = drop_start(connection, seq); !dropped) return dropped;
      return connection.prepare("DELETE FROM jobs WHERE seq=?").bind(seq).run();
    };
  }
  write.settled = [line = line_, seq = queued->seq, buried](const Result<void>& outcome) {
    if (!outcome) return;
    line->remove(seq);
    if (buried) line->add_dead(1);
  };
  return write;
}

Task<Result<void>> SqliteJobQueue::acknowledge(const std::string& receipt) {
  const auto queued = line_->leased(receipt, database_.clock().steady_now());
  if (queued && queued->job) line_->remove(queued->seq);  // it is in memory alone
  if (!queued || queued->job) co_return Result<void>{};
  if (auto write = ending(receipt, std::nullopt)) {
    co_return co_await database_.write<void>(write->apply, write->settled, Database::Haste::none);
  }
  co_return Result<void>{};
}

// The next start of the job is behind this in the writer's line.
Task<Result<void>> SqliteJobQueue::give_back(const std::string& receipt) {
  const auto queued = line_->leased(receipt, database_.clock().steady_now());
  if (!queued) co_return Result<void>{};  // a dead receipt's job is visible already
  const auto give_back = [line = line_, receipt, &clock = database_.clock()] {
    (void)line->give_back(receipt, clock.steady_now());
  };
  if (queued->job) {
    give_back();
    co_return Result<void>{};
  }
  // Without it on the disk a crash costs a strike more, and the job is given back all the same.
  co_await database_.write<void>(
      [seq = queued->seq](Connection& connection) { return take_start_back(connection, seq); },
      [give_back](const Result<void>&) { give_back(); }, Database::Haste::none);
  co_return Result<void>{};
}

Task<Result<void>> SqliteJobQueue::bury(const std::string& receipt, const std::string& reason) {
  auto write = ending(receipt, reason);
  if (!write) co_return Result<void>{};
  co_return co_await database_.write<void>(std::move(write->apply), std::move(write->settled));
}

void SqliteJobQueue::wake_receivers() {
  line_->close();
}

Task<Result<QueueDepth>> SqliteJobQueue::depth() {
  expire_leases();
  co_return line_->depth();
}

Task<Result<void>> SqliteJobQueue::sweep(WallTime now) {
  co_return co_await database_.sweep(kSweep, now - kDeadLetterTtl,
                                     [line = line_](std::int64_t deleted) { line->add_dead(-deleted); });
}

}  // namespace infra
