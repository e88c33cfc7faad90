// The job queue of a fleet: SQS, standard or FIFO, with payloads over its limit in the bucket. What it can't know, such
// as how often a job was started, the leases in Redis add.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/aws/aws_client.h"
#include "adapters/aws/sqs/job_message.h"
#include "adapters/aws/sqs/recent_ids.h"
#include "adapters/aws/sqs/sqs_batcher.h"
#include "ports/clock.h"
#include "ports/code_store.h"
#include "ports/executor.h"
#include "ports/job_queue.h"
#include "telemetry/metrics.h"

namespace infra {

struct SqsQueueOptions {
  std::string bucket{};  // of the code; reference workers read its name in the message
  // Such a worker would run a job whose payload is in the bucket on empty input. Any thread; may be empty.
  std::function<bool()> reference_worker_alive{};
  // Before a job's message goes: whether that names an object in place of its input. Any thread; may be empty.
  std::function<void(const Job&, bool input_apart)> on_send{};
  std::chrono::seconds poll{5};  // the longest one poll waits at SQS, and so the longest that a stop waits for it
};

// `Delivery::receives` is SQS's own count, which give_back() adds to. A FIFO queue (its URL ends in ".fifo") gets each
// job as a group of its own, so that jobs don't wait for each other.
//
// A send whose answer is lost is repeated, and one that failed so may have been carried out: a job can be in the queue
// twice or against our word. Leases and the log row keep it from running twice at once and from counting twice; nothing
// could make up for one that was lost.
class SqsJobQueue final : public JobQueue {
 public:
  // `metrics` count each message without a waiter to tell (it has no request id), when it is first received.
  SqsJobQueue(aws::AwsClient& sqs, std::string queue_url, CodeStore& payloads, Clock& clock, Executor& executor,
              Metrics& metrics, SqsQueueOptions options);

  Task<Result<void>> enqueue(const Job& job) override;
  // Waits at SQS, in whole seconds of real time. What can't be run is handed out as such; a message that does not even
  // say whose request it is is left to the redrive policy.
  Task<Result<std::vector<Delivery>>> receive(int max, milliseconds wait) override;
  Task<Result<void>> extend(const std::string& receipt) override;
  Task<Result<void>> acknowledge(const std::string& receipt) override;
  Task<Result<void>> give_back(const std::string& receipt) override;
  Task<Result<void>> bury(const std::string& receipt, const std::string& reason) override;
  // A poll that is under way is let finish, because one that is abandoned still takes messages out of sight; what it
  // brings is given back.
  void wake_receivers() override;
  Task<Result<QueueDepth>> depth() override;

  // Visible again after `pause`, rounded up to whole seconds. A dead receipt is no error.
  Task<Result<void>> postpone(const std::string& receipt, milliseconds pause);

 private:
  struct Message {
    std::string id;
    std::string receipt;
    std::string body;
    int receives = 1;
  };
  Task<Result<void>> enqueue_big(const Job& job);
  Task<Result<void>> send(const RequestId& id, std::string body);
  Task<Result<std::vector<Message>>> poll(int max, std::chrono::seconds wait);
  // `invalid`, or `unavailable` and then put off for a moment.
  Task<Result<Delivery>> open(Message message, SteadyTime received);
  Task<Result<std::optional<Error>>> fetch_input(const Message& message, const std::string& key, Job& job);
  void note_unreadable(const Message& message, const std::string& reason);
  Task<Result<void>> set_visibility(std::string_view receipt, std::chrono::seconds timeout);
  Task<void> remove_payload(std::string key);

  aws::AwsClient& sqs_;
  const std::string queue_url_;
  CodeStore& payloads_;
  Clock& clock_;
  Metrics& metrics_;
  const SqsQueueOptions options_;
  const bool fifo_;
  aws::SqsBatcher sends_;
  aws::SqsBatcher deletes_;
  aws::SqsBatcher visibility_;
  std::atomic<bool> closed_ = false;
  RecentIds unreadable_;
};

}  // namespace infra
