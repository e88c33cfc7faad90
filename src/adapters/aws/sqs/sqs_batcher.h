// One kind of change to a queue (send, delete, change visibility), gathered under load: SQS takes ten in one request
// for the price and the time of one. A lone change never waits for company.
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <string>
#include <vector>

#include "adapters/aws/aws_client.h"
#include "adapters/aws/sqs/sqs_change_line.h"
#include "core/error.h"
#include "core/task.h"
#include "ports/clock.h"
#include "ports/executor.h"

namespace infra::aws {

struct SqsBatch {
  std::string action;           // "SendMessageBatch"
  std::string single_action{};  // for a change that goes alone; empty: the same
  milliseconds linger{1};       // how long one waits for company while others are on their way
  milliseconds deadline{3000};  // from submit() to its answer
};

// Any event thread. A request in flight outlives it; its client and executor must not end before the event loops do.
class SqsBatcher {
 public:
  SqsBatcher(AwsClient& sqs, std::string queue_url, Clock& clock, Executor& executor, SqsBatch batch);
  ~SqsBatcher();
  SqsBatcher(const SqsBatcher&) = delete;
  SqsBatcher& operator=(const SqsBatcher&) = delete;

  // `entry` is the change as the action's Entries have it, without Id and QueueUrl; `bytes` is what it adds to SQS's
  // limit of 256 KiB for a request. Sent again after a time-out, so that it may be carried out twice. Its own failure:
  // `invalid` (code aws_refused), `too_large`, `not_found` (code receipt_dead), `unavailable` (retry_after set).
  Task<Result<void>> submit(boost::json::object entry, std::size_t bytes);

 private:
  struct State;
  static Task<void> carry_out(std::shared_ptr<State> state, SqsChanges changes);
  static void start(const std::shared_ptr<State>& state, std::vector<SqsChanges> requests);

  std::shared_ptr<State> state_;
};

// A queue that does not exist is a setting to mend, not a thing that a caller asked for: `unavailable`.
[[nodiscard]] Error queue_error(Error error);

}  // namespace infra::aws
