// Finished runs in DynamoDB: the log row's conditional put decides who counts, and only that one adds to the counters.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <unordered_set>

#include "adapters/aws/aws_client.h"
#include "ports/random.h"
#include "ports/run_recorder.h"

namespace infra {

struct RecorderTables {
  std::string functions;
  std::string logs;
};

// A row carries the mark of the recorder that put it, so that a put whose answer was lost is known again as ours when
// it is repeated. A count whose answer was lost is not repeated: it may be lost, and is never added twice.
class DynamoDbRunRecorder final : public RunRecorder {
 public:
  DynamoDbRunRecorder(aws::AwsClient& dynamodb, RecorderTables tables, Random& random);
  Task<Result<bool>> record(const LogRow& row) override;

 private:
  enum class Put : std::uint8_t { ours, others };

  Task<Result<Put>> put(LogRow row);
  Task<Result<bool>> is_ours(LogRow row);
  Task<Result<void>> count(LogRow row);
  // False if this recorder has counted it, or is about to.
  [[nodiscard]] bool claim_count(const RequestId& id);
  void release_count(const RequestId& id);

  aws::AwsClient& dynamodb_;
  const RecorderTables tables_;
  const std::string mark_;
  std::mutex mutex_;
  std::unordered_set<RequestId> counted_;  // the last ones
  std::deque<RequestId> counted_order_;
};

}  // namespace infra
