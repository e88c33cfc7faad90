// Function metadata in DynamoDB, known by heart: a run reads no row that this controller knows and that has not
// changed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/aws/aws_client.h"
#include "adapters/aws/dynamodb_item.h"
#include "adapters/aws/function_cache.h"
#include "ports/clock.h"
#include "ports/function_store.h"

namespace infra {

// Rows used within the last minute are read again every second, by refresh(); a change that another controller
// announces makes the next find() read. With DynamoDB away, what is known is served for ten minutes at most. A listing
// scans the table, at most once a second for all pages and requests of this controller.
class DynamoDbFunctionStore final : public FunctionStore {
 public:
  using Announce = std::function<Task<void>(FunctionId)>;  // best effort, after a change of ours

  DynamoDbFunctionStore(aws::AwsClient& dynamodb, std::string table, Clock& clock, Announce announce);

  Task<Result<void>> insert(const Function& function) override;
  Task<Result<Function>> find(const FunctionId& id) override;
  Task<Result<Function>> update(const FunctionId& id, const FunctionChange& change, WallTime now) override;
  Task<Result<Function>> remove(const FunctionId& id) override;
  Task<Result<FunctionPage>> list(int limit, const std::string& cursor) override;

  // Another controller has changed this function; or may have changed any, while nobody listened. Any thread.
  void changed(const FunctionId& id);
  void all_changed();
  // Keeps what is used current, until the program ends.
  Task<void> refresh();
  Task<void> refresh_once();

 private:
  using Rows = std::vector<Function>;
  struct Scan {
    SteadyTime at;
    std::shared_ptr<const Rows> rows;  // oldest first
  };

  Task<void> changed_by_us(FunctionId id);
  Task<Result<Function>> read(FunctionId id);
  Task<void> refresh_some(std::vector<FunctionId> ids);
  Task<Result<std::shared_ptr<const Rows>>> scan();
  [[nodiscard]] std::unexpected<Error> failed(const Error& error) const;

  aws::AwsClient& dynamodb_;
  const std::string table_;
  Clock& clock_;
  const Announce announce_;
  aws::FunctionCache cache_;
  std::mutex mutex_;
  Scan scan_;  // rows are null when there is none
};

}  // namespace infra
