// Finished runs in DynamoDB: the log row's conditional put decides who counts, and only that one adds to the counters.
#pragma once

#include <map>
#include <string>

#include "adapters/aws/aws_client.h"
#include "core/mutex.h"
#include "ports/random.h"
#include "ports/run_recorder.h"

namespace infra {

struct RecorderTables {
  std::string functions;
  std::string logs;
};

// A row carries the mark of the attempt that put it. A put whose answer was lost is known again by it, when the client
// or the caller repeats it, and a count that surely was not added is added then. One that may have been added is not
// repeated: it may be lost, and is never added twice.
class DynamoDbRunRecorder final : public RunRecorder {
 public:
  DynamoDbRunRecorder(aws::AwsClient& dynamodb, RecorderTables tables, Random& random);
  Task<Result<bool>> record(const LogRow& row) override;

 private:
  // From the first call for a row to the one that succeeds.
  struct Attempt {
    std::string mark;
    bool put = false;  // the row is there and ours; it remains to be counted
  };

  Task<Result<bool>> carry_out(const LogRow& row, Attempt& attempt);
  Task<Result<bool>> put(const LogRow& row, const std::string& mark);
  Task<Result<bool>> has_mark(const LogRow& row, const std::string& mark);
  Task<Result<void>> count(const LogRow& row);
  [[nodiscard]] Attempt take_up(const std::string& key);
  void put_off(std::string key, Attempt attempt);

  aws::AwsClient& dynamodb_;
  const RecorderTables tables_;
  Random& random_;
  Mutex mutex_;
  std::map<std::string, Attempt> unfinished_ INFRA_GUARDED_BY(mutex_);  // by function and timestamp
};

}  // namespace infra
