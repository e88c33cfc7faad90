// The execution log in DynamoDB: one partition a function, its rows by time. The table's TTL removes what has expired
// when it gets to it; until then it is not shown.
#pragma once

#include <string>

#include "adapters/aws/aws_client.h"
#include "ports/clock.h"
#include "ports/log_store.h"

namespace infra {

class DynamoDbLogStore final : public LogStore {
 public:
  DynamoDbLogStore(aws::AwsClient& dynamodb, std::string table, Clock& clock);

  Task<Result<LogPage>> list(const LogQuery& query) override;
  // One read where the row's key follows from the request's id; for ids of others a search through the newest rows.
  Task<Result<LogRow>> find(const FunctionId& function, const RequestId& request) override;

 private:
  Task<Result<LogRow>> get(FunctionId function, RequestId request);
  Task<Result<LogRow>> search(FunctionId function, RequestId request);
  [[nodiscard]] bool has_expired(const LogRow& row) const { return row.expires_at <= clock_.now(); }

  aws::AwsClient& dynamodb_;
  const std::string table_;
  Clock& clock_;
};

}  // namespace infra
