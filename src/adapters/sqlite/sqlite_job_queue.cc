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

Result<std::shared_ptr<JobLine>> read_line(Connection& connection, const QueueBounds& bounds) {
  const auto last = connection.query_integer("SELECT ifnull(max(seq), 0) FROM jobs");
  const auto dead = connection.query_integer("SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL");
  if (!last || !dead) return fail(last ? dead.error() : last.error());
  auto line = std::make_shared<JobLine>(bounds, *last + 1, *dead);
  auto rows = connection.prepare("SELECT seq, receives, bytes FROM jobs WHERE dead_at IS NULL ORDER BY seq");
  while (true) {
    const auto row = rows.step();
    if (!row) return fail(row.error());
    if (!*row) return line;
    line->restore({.seq = rows.integer(0),
                   .receives = static_cast<int>(rows.integer(1)),
                   .bytes = static_cast<std::uint64_t>(rows.integer(2))});
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
  auto line = database.read_now<std::shared_ptr<JobLine>>(
      [&bounds](Connection& connection) { return read_line(connection, bounds); });
  if (!line) return fail(line.error());
  return std::unique_ptr<SqliteJobQueue>(new SqliteJobQueue(database, std::move(*line)));
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
  const QueuedJob queued{.seq = *seq, .bytes = bytes};
  co_return co_await database_.write<void>(
      [job, queued](Connection& connection) { return insert_job(connection, *job, queued); },
      // On the writer thread: the worker need not wait until this coroutine has its turn.
      [line = line_, queued](const Result<void>& outcome) {
        outcome ? line->put(queued) : line->release(queued.bytes);
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

Task<Result<std::vector<Delivery>>> SqliteJobQueue::fill_in(std::vector<HandOver> taken) {
  using Jobs = std::vector<std::shared_ptr<const Job>>;  // null: the row is gone
  Jobs jobs;
  std::vector<std::int64_t> rows;
  for (const auto& hand_over : taken) {
    jobs.push_back(hand_over.queued.job);
    if (!hand_over.queued.job) rows.push_back(hand_over.queued.seq);
  }
  if (!rows.empty()) {
    auto read = co_await database_.read<Jobs>([rows](Connection& connection) { return read_jobs(connection, rows); });
    if (!read) {
      for (const auto& hand_over : taken) (void)line_->give_back(hand_over.receipt, database_.clock().steady_now());
      co_return fail(read.error());
    }
    auto next = read->begin();
    for (auto& job : jobs) {
      if (!job) job = std::move(*next++);
    }
  }
  std::vector<Delivery> deliveries;
  for (std::size_t i = 0; i < taken.size(); ++i) {
    if (!jobs[i]) {
      line_->remove(taken[i].queued.seq);
      continue;
    }
    const int earlier = taken[i].queued.receives;
    deliveries.push_back(
        {.job = *jobs[i], .receipt = std::move(taken[i].receipt), .receives = earlier + 1, .fresh = earlier == 0});
  }
  co_return deliveries;
}

Task<Result<void>> SqliteJobQueue::extend(const std::string& receipt) {
  const SteadyTime now = database_.clock().steady_now();
  if (line_->extend(receipt, now, now + limits::kVisibility)) co_return Result<void>{};
  co_return fail(errors::receipt_dead, "The hand-over has ended; the job may be with another worker.");
}

Task<Result<void>> SqliteJobQueue::acknowledge(const std::string& receipt) {
  const auto queued = line_->leased(receipt, database_.clock().steady_now());
  if (!queued) co_return Result<void>{};
  if (queued->job) {
    line_->remove(queued->seq);
    co_return Result<void>{};
  }
  co_return co_await database_.write<void>(
      [seq = queued->seq](Connection& connection) {
        return connection.prepare("DELETE FROM jobs WHERE seq=?").bind(seq).run();
      },
      [line = line_, seq = queued->seq](const Result<void>& outcome) {
        if (outcome) line->remove(seq);
      },
      Database::Haste::none);
}

Task<Result<void>> SqliteJobQueue::give_back(const std::string& receipt) {
  (void)line_->give_back(receipt, database_.clock().steady_now());  // a dead receipt's job is visible already
  co_return Result<void>{};
}

Task<Result<void>> SqliteJobQueue::bury(const std::string& receipt, const std::string& reason) {
  const auto queued = line_->leased(receipt, database_.clock().steady_now());
  if (!queued) co_return Result<void>{};
  const DeadLetter letter{.at = database_.clock().now(), .reason = reason};
  co_return co_await database_.write<void>(
      [queued = *queued, letter](Connection& connection) -> Result<void> {
        if (queued.job) {
          if (auto inserted = insert_job(connection, *queued.job, queued); !inserted) return inserted;
        }
        return mark_dead(connection, queued, letter);
      },
      [line = line_, seq = queued->seq](const Result<void>& outcome) {
        if (!outcome) return;
        line->remove(seq);
        line->add_dead(1);
      });
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
