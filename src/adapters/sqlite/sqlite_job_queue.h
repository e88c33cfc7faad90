// The job queue of one machine. Async jobs are rows of infra.db, of which memory holds only the position; sync jobs
// live in memory alone. Leases live in memory too: those of a dead program are void, so that a crash costs a job no
// receive.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/memory/job_line.h"
#include "adapters/sqlite/database.h"
#include "ports/job_queue.h"

namespace infra {

class SqliteJobQueue final : public JobQueue {
 public:
  // Reads what an earlier run left undone; every such job is visible at once. Blocks: for the start of the program.
  [[nodiscard]] static Result<std::unique_ptr<SqliteJobQueue>> open(Database& database, QueueBounds bounds = {});
  Task<Result<void>> enqueue(const Job& job) override;
  Task<Result<std::vector<Delivery>>> receive(int max, milliseconds wait) override;
  Task<Result<void>> extend(const std::string& receipt) override;
  Task<Result<void>> acknowledge(const std::string& receipt) override;
  Task<Result<void>> give_back(const std::string& receipt) override;
  Task<Result<void>> bury(const std::string& receipt, const std::string& reason) override;
  void wake_receivers() override;
  Task<Result<QueueDepth>> depth() override;

  // Deletes dead letters that are older than 14 days at `now`.
  Task<Result<void>> sweep(WallTime now);
  // Whether a job that is only in memory, waiting or handed out, names this bundle.
  [[nodiscard]] bool holds_code(const std::string& sha256) const { return line_->holds_code(sha256); }

 private:
  SqliteJobQueue(Database& database, std::shared_ptr<JobLine> line) : database_(database), line_(std::move(line)) {}
  Task<Result<void>> enqueue_durable(std::shared_ptr<const Job> job);
  // Reads what memory does not hold of the jobs. Rows that are gone by now (acknowledged late) are left out.
  Task<Result<std::vector<Delivery>>> fill_in(std::vector<HandOver> taken);
  [[nodiscard]] std::vector<HandOver> take(int max);
  void expire_leases();

  Database& database_;
  const std::shared_ptr<JobLine> line_;  // shared with queued writes, which settle on the writer thread
};

}  // namespace infra
