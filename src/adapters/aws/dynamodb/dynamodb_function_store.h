// Function metadata in DynamoDB, known by heart: a run reads no row that this controller knows and that has not
// changed.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adapters/aws/aws_client.h"
#include "adapters/aws/dynamodb/function_cache.h"
#include "async/single_flight.h"
#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/function_store.h"

namespace infra {

// A row is served from memory for two seconds after it was read; those used within the last minute are read again every
// second, by refresh(), so that a run waits for a read only when the function is new or long unused. A change that
// another controller announces makes the next find() read; one whose announcement is lost is seen within those two
// seconds. While DynamoDB does not answer, what was known is served, for ten minutes at most: whether a run can be
// accepted is then the queue's to say.
//
// A table with nothing but a hash key can only be scanned in order to list it. All rows are then in memory, for a
// second, in which all pages and requests of this controller share them: fit for some ten thousand functions.
class DynamoDbFunctionStore final : public FunctionStore {
 public:
  using Announce = std::function<Task<void>(FunctionId)>;  // best effort, after a write of ours

  DynamoDbFunctionStore(aws::AwsClient& dynamodb, std::string table, Clock& clock, Announce announce);

  Task<Result<void>> insert(const Function& function) override;
  Task<Result<Function>> find(const FunctionId& id) override;
  Task<Result<Function>> find_current(const FunctionId& id) override;
  Task<Result<Function>> update(const FunctionId& id, const FunctionChange& change, WallTime now) override;
  Task<Result<Function>> remove(const FunctionId& id) override;
  Task<Result<FunctionPage>> list(int limit, const std::string& cursor) override;

  // Another controller has changed this function; or may have changed any, while the subscription was down. Any thread.
  void changed(const FunctionId& id);
  void all_changed();
  // Keeps what is used current, until the program ends.
  Task<void> refresh();
  Task<void> refresh_once();

 private:
  using Rows = std::vector<Function>;
  using SharedRows = std::shared_ptr<const Rows>;
  struct Scan {
    SteadyTime begun;
    SharedRows rows;  // oldest first; null: none
  };

  Task<void> changed_by_us(FunctionId id);
  Task<Result<aws::SharedFunction>> read(FunctionId id);
  Task<Result<aws::SharedFunction>> get_item(FunctionId id);
  Task<bool> refresh_some(std::span<const aws::FunctionCache::Reading> readings);
  Task<Result<SharedRows>> all_rows();
  Task<Result<SharedRows>> scan();
  Task<Result<SharedRows>> scan_once();
  void forget_scan();
  [[nodiscard]] std::unexpected<Error> failed(const Error& error) const;

  aws::AwsClient& dynamodb_;
  const std::string table_;
  Clock& clock_;
  const Announce announce_;
  aws::FunctionCache cache_;
  SingleFlight<aws::SharedFunction> reads_;
  SingleFlight<SharedRows> scans_;
  std::atomic<bool> away_ = false;  // the last refresh got no answer
  std::atomic<std::uint64_t> changes_ = 0;
  Mutex mutex_;
  Scan scan_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra
