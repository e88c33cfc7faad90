// Results on one machine: handed to the waiting request in memory, and kept in infra.db for later requests.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <unordered_map>

#include "adapters/sqlite/database.h"
#include "ports/result_bus.h"

namespace infra {

class WaitingRoom;

// The first result of an id stays.
[[nodiscard]] Result<void> keep_result(sqlite::Connection& connection, const RequestId& id, const JobResult& result,
                                       WallTime expires_at);

class SqliteResultBus final : public ResultBus {
 public:
  explicit SqliteResultBus(Database& database);
  ~SqliteResultBus() override;

  Task<Result<std::unique_ptr<ResultWaiter>>> expect(const RequestId& id) override;
  [[nodiscard]] std::string reply_channel() const override { return {}; }
  Task<Result<void>> mark_pending(const RequestId& id) override;
  Task<Result<void>> forget(const RequestId& id) override;
  Task<Result<void>> publish(const Job& job, SharedResult result) override;
  // Tells the waiter. What is left is the write that publish() makes, as a part of a larger one.
  Task<Database::Write> tell(const Job& job, SharedResult result);
  Task<Result<StoredResult>> find(const RequestId& id) override;
  void abandon_waiters() override;

  // Deletes what has expired by `now`, some rows a transaction so that other writes get in between.
  Task<Result<void>> sweep(WallTime now);
  void list_holdings(Holdings& into) const;

 private:
  Database& database_;
  std::shared_ptr<WaitingRoom> room_;  // shared with waiters and queued writes
};

}  // namespace infra
