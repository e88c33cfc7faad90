// The job queue of one machine. Async jobs are rows of infra.db, of which memory holds only the position; sync jobs
// live in memory alone. Leases live in memory too: those of a dead program are void, and its jobs have a strike.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/memory/job_line.h"
#include "adapters/sqlite/database.h"
#include "adapters/sqlite/job_strikes.h"
#include "ports/job_queue.h"
#include "ports/suspect_queue.h"

namespace infra {

class SqliteJobQueue final : public JobQueue, public SuspectQueue {
 public:
  // Begins an epoch and reads what earlier ones left undone, which is visible at once. Blocks: for the start of the
  // program.
  [[nodiscard]] static Result<std::unique_ptr<SqliteJobQueue>> open(Database& database, QueueBounds bounds = {});
  Task<Result<void>> enqueue(const Job& job) override;
  void attach(Turns* turns) override { line_->attach(turns); }
  void look_for_turns() override { line_->wake_one(); }
  Task<Result<std::vector<Delivery>>> receive(int max, milliseconds wait) override;
  Task<Result<void>> extend(const std::string& receipt) override;
  Task<Result<void>> acknowledge(const std::string& receipt) override;
  Task<Result<void>> give_back(const std::string& receipt) override;
  Task<Result<void>> bury(const std::string& receipt, const std::string& reason) override;
  void wake_receivers() override;
  Task<Result<QueueDepth>> depth() override;
  [[nodiscard]] bool has_suspects() const override { return line_->has_suspects(); }
  Task<Result<std::optional<Delivery>>> receive_suspect() override;

  // What opening it found, and did.
  [[nodiscard]] const EpochStart& epoch_start() const { return start_; }
  // A clean stop: what is handed out from here on, or still is, gets no strike.
  Task<Result<void>> end_epoch();

  // The write by which a handed-out job ends: it is acknowledged, or buried with a reason. Nullopt if there is none,
  // because the receipt is dead.
  [[nodiscard]] std::optional<Database::Write> ending(const std::string& receipt,
                                                      std::optional<std::string> buried_for);

  // Deletes dead letters that are older than 14 days at `now`.
  Task<Result<void>> sweep(WallTime now);
  // Whether a job that is only in memory, waiting or handed out, names this bundle.
  [[nodiscard]] bool holds_code(const std::string& sha256) const { return line_->holds_code(sha256); }
  void list_holdings(Holdings& into) const { line_->list_holdings(into); }  // any thread

 private:
  SqliteJobQueue(Database& database, EpochStart start, std::shared_ptr<JobLine> line)
      : database_(database), start_(std::move(start)), line_(std::move(line)) {}
  Task<Result<void>> enqueue_durable(std::shared_ptr<const Job> job);
  // Reads what memory does not hold of the jobs, and has their starts on the disk. Rows that are gone by now
  // (acknowledged late) are left out.
  Task<Result<std::vector<Delivery>>> fill_in(std::vector<HandOver> taken);
  // Null: the row is gone. Those in memory are as they were.
  using Jobs = std::vector<std::shared_ptr<const Job>>;
  Task<Result<Jobs>> read_rows(const std::vector<HandOver>& taken);
  Task<Result<void>> record_starts(const std::vector<HandOver>& taken, const Jobs& jobs);
  [[nodiscard]] std::vector<HandOver> take(int max);
  void expire_leases();

  Database& database_;
  const EpochStart start_;
  const std::shared_ptr<JobLine> line_;  // shared with queued writes, which settle on the writer thread
};

}  // namespace infra
