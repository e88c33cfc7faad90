#include "adapters/aws/sqs/sqs_job_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adapters/aws/wire/json_answer.h"
#include "adapters/aws/wire/service_error.h"
#include "core/error_codes.h"
#include "core/limits.h"
#include "core/object_keys.h"
#include "core/trace_context.h"
#include "telemetry/log.h"

namespace infra {
namespace {

namespace json = boost::json;
using aws::number_of;
using aws::object_in;
using aws::Repeat;
using std::chrono::seconds;

constexpr int kMaxPerPoll = 10;
constexpr seconds kPollGrace{5};  // for the answer to a poll that has waited to its end

// Before a job whose payload can't be read now comes again: soon after a short outage, and not too often in a long one,
// since the queue's redrive policy counts every receive.
seconds payload_pause(int receives) {
  constexpr int kSoon = 30;
  return receives <= kSoon ? seconds{2} : seconds{10};
}

// A reference controller subscribes to a job's result after it has sent the job, and does not hear what comes before.
constexpr milliseconds kUntilItListens{200};

// A receipt is SQS's handle and, where there is one, the key of the payload, behind a character that neither has.
constexpr char kReceiptSeparator = '\n';

std::string make_receipt(std::string handle, const std::string& payload) {
  if (payload.empty()) return handle;
  return handle + kReceiptSeparator + payload;
}
std::string_view handle_of(std::string_view receipt) {
  return receipt.substr(0, receipt.find(kReceiptSeparator));
}
std::string payload_of(std::string_view receipt) {
  const auto end = receipt.find(kReceiptSeparator);
  return end == std::string_view::npos ? std::string() : std::string(receipt.substr(end + 1));
}

// Whether a send that failed so left no message, and its payload will never be read. (If an earlier attempt of the
// same call did leave one, the run was refused all the same: such a message ends with the dead letters.)
bool left_no_message(const Error& error) {
  return aws::surely_not_done(error) || error.code == errors::queue_missing;
}

std::unexpected<Error> payload_too_large(std::string_view why) {
  return fail(errors::payload_too_large,
              fmt::format("The job is larger than the {} KiB that a queue message may have{}; send less input.",
                          aws::kMaxMessageBytes / 1024, why));
}

}  // namespace

SqsJobQueue::SqsJobQueue(aws::AwsClient& sqs, std::string queue_url, CodeStore& payloads, Clock& clock,
                         Executor& executor, Metrics& metrics, SqsQueueOptions options)
    : sqs_(sqs),
      queue_url_(std::move(queue_url)),
      payloads_(payloads),
      clock_(clock),
      metrics_(metrics),
      options_(std::move(options)),
      fifo_(queue_url_.ends_with(".fifo")),
      sends_(sqs, queue_url_, clock, executor,
             {.action = "SendMessageBatch", .single_action = "SendMessage", .linger = milliseconds{1}}),
      deletes_(sqs, queue_url_, clock, executor, {.action = "DeleteMessageBatch", .linger = milliseconds{5}}),
      visibility_(sqs, queue_url_, clock, executor,
                  {.action = "ChangeMessageVisibilityBatch", .linger = milliseconds{5}}) {}

Task<Result<void>> SqsJobQueue::enqueue(const Job& job) {
  if (job.input.size() <= aws::kMaxMessageBytes) {
    std::string body = aws::write_job_message(job, options_.bucket);
    if (body.size() <= aws::kMaxMessageBytes) {
      if (options_.on_send) options_.on_send(job, false);
      co_return co_await send(job.request_id, std::move(body));
    }
  }
  co_return co_await enqueue_big(job);
}

Task<Result<void>> SqsJobQueue::enqueue_big(const Job& job) {
  if (options_.reference_worker_alive && options_.reference_worker_alive())
    co_return payload_too_large(" while a worker of the reference platform is connected");
  const std::string key = payload_key(job.request_id);
  std::string body = aws::write_job_message(job, options_.bucket, key);
  if (body.size() > aws::kMaxMessageBytes) co_return payload_too_large(" even without its input");
  if (auto kept = co_await payloads_.put_object(key, job.input); !kept) co_return fail(kept.error());
  if (options_.on_send) options_.on_send(job, true);
  auto sent = co_await send(job.request_id, std::move(body));
  if (!sent && left_no_message(sent.error())) co_await remove_payload(key);
  co_return sent;
}

Task<Result<void>> SqsJobQueue::send(const RequestId& id, std::string body) {
  const std::size_t bytes = body.size();
  json::object entry{{"MessageBody", std::move(body)}};
  if (fifo_) {
    entry["MessageGroupId"] = id.value;
    entry["MessageDeduplicationId"] = id.value;
  }
  co_return co_await sends_.submit(std::move(entry), bytes);
}

Task<Result<std::vector<Delivery>>> SqsJobQueue::receive(int max, milliseconds wait) {
  const SteadyTime deadline = clock_.steady_now() + wait;
  const auto wanted = static_cast<std::size_t>(std::max(max, 0));
  std::vector<Delivery> got;
  Error away;
  while (!closed_ && got.size() < wanted) {
    const int ask = static_cast<int>(std::min<std::size_t>(wanted - got.size(), kMaxPerPoll));
    const auto left = std::chrono::floor<seconds>(deadline - clock_.steady_now());
    auto messages = co_await poll(ask, got.empty() ? std::clamp(left, seconds{0}, options_.poll) : seconds{0});
    if (!messages) {
      if (got.empty()) co_return fail(messages.error());
      break;
    }
    const SteadyTime received = clock_.steady_now();
    if (closed_) {
      for (const auto& message : *messages) (void)co_await set_visibility(message.receipt, seconds{0});
      break;
    }
    for (auto& message : *messages) {
      auto delivery = co_await open(std::move(message), received);
      if (delivery) got.push_back(std::move(*delivery));
      if (!delivery && delivery.error().kind == ErrorKind::unavailable) away = delivery.error();
    }
    if (got.empty() && away.kind == ErrorKind::unavailable) co_return fail(std::move(away));
    const bool more = std::cmp_equal(messages->size(), ask);
    if (got.empty() ? left < seconds{1} : !more) break;
  }
  co_return got;
}

Task<Result<std::vector<SqsJobQueue::Message>>> SqsJobQueue::poll(int max, seconds wait) {
  const auto answer = co_await sqs_.call_json("AmazonSQS.ReceiveMessage",
                                              {{"QueueUrl", queue_url_},
                                               {"MaxNumberOfMessages", max},
                                               {"WaitTimeSeconds", wait.count()},
                                               {"VisibilityTimeout", limits::kVisibility.count()},
                                               {"MessageSystemAttributeNames", json::array{"ApproximateReceiveCount"}}},
                                              Repeat::safe, wait + kPollGrace + seconds{2}, wait + kPollGrace);
  if (!answer) co_return fail(aws::queue_error(answer.error()));
  std::vector<Message> messages;
  aws::for_each_object(*answer, "Messages", [&messages](const json::object& fields) {
    Message message{.id = text_of(fields, "MessageId"),
                    .receipt = text_of(fields, "ReceiptHandle"),
                    .body = text_of(fields, "Body")};
    if (const auto* attributes = object_in(fields, "Attributes"))
      message.receives = static_cast<int>(number_of(*attributes, "ApproximateReceiveCount", 1));
    messages.push_back(std::move(message));
  });
  co_return messages;
}

Task<Result<Delivery>> SqsJobQueue::open(Message message, SteadyTime received) {
  auto read = aws::read_job_message(message.body, clock_.now());
  if (!read) {
    note_unreadable(message, read.error().message);
    co_return fail(read.error());
  }
  bool input_lost = false;
  if (!read->cannot_run && !read->input_key.empty()) {
    auto fetched = co_await fetch_input(message, read->input_key, read->job);
    if (!fetched) co_return fail(fetched.error());
    input_lost = fetched->has_value();
    read->cannot_run = std::move(*fetched);
  }
  const bool reference_controllers = read->job.reply_to.empty();
  co_return Delivery{.job = std::move(read->job),
                     .receipt = make_receipt(std::move(message.receipt), read->input_key),
                     .receives = message.receives,
                     .fresh = message.receives == 1 && !input_lost,
                     .cannot_run = std::move(read->cannot_run),
                     .tell_from = reference_controllers ? received + kUntilItListens : SteadyTime{}};
}

// Gives what is wrong with the job if its input is gone.
Task<Result<std::optional<Error>>> SqsJobQueue::fetch_input(const Message& message, const std::string& key, Job& job) {
  auto input = co_await payloads_.get_object(key);
  if (input) {
    job.input = std::move(*input);
    co_return std::nullopt;
  }
  if (input.error().kind == ErrorKind::not_found)
    co_return Error{errors::input_lost, "The job's input is no longer in the bucket."};
  log::warn(
      "a job's payload could not be read; the job stays in the queue",
      {{"requestId", job.request_id.value}, {"traceId", trace_id_in(job.traceparent)}, {"code", input.error().code}});
  if (input.error().kind == ErrorKind::unavailable)
    (void)co_await set_visibility(message.receipt, payload_pause(message.receives));
  co_return fail(input.error());
}

// It comes again after every visibility timeout until the redrive policy has enough of it.
void SqsJobQueue::note_unreadable(const Message& message, const std::string& reason) {
  if (!unreadable_.add(message.id)) return;
  log::warn("a queue message is no job; it is left to the dead-letter queue",
            {{"messageId", message.id}, {"reason", reason}});
  metrics_.count("worker_unreadable_messages_total");
}

Task<Result<void>> SqsJobQueue::set_visibility(std::string_view receipt, seconds timeout) {
  const std::string_view handle = handle_of(receipt);
  co_return co_await visibility_.submit(
      {{"ReceiptHandle", json::string_view(handle.data(), handle.size())}, {"VisibilityTimeout", timeout.count()}},
      handle.size());
}

Task<Result<void>> SqsJobQueue::extend(const std::string& receipt) {
  return set_visibility(receipt, limits::kVisibility);
}

Task<Result<void>> SqsJobQueue::postpone(const std::string& receipt, milliseconds pause) {
  auto done = co_await set_visibility(receipt, std::chrono::ceil<seconds>(pause));
  if (!done && done.error().kind == ErrorKind::not_found) co_return Result<void>{};
  co_return done;
}

Task<Result<void>> SqsJobQueue::give_back(const std::string& receipt) {
  return postpone(receipt, milliseconds{0});
}

Task<Result<void>> SqsJobQueue::acknowledge(const std::string& receipt) {
  const std::string_view handle = handle_of(receipt);
  std::string payload = payload_of(receipt);
  auto deleted =
      co_await deletes_.submit({{"ReceiptHandle", json::string_view(handle.data(), handle.size())}}, handle.size());
  if (!deleted && deleted.error().kind == ErrorKind::not_found) co_return Result<void>{};  // another worker's by now
  if (deleted && !payload.empty()) co_await remove_payload(std::move(payload));
  co_return deleted;
}

Task<Result<void>> SqsJobQueue::bury(const std::string& receipt, const std::string&) {
  return acknowledge(receipt);
}

Task<void> SqsJobQueue::remove_payload(std::string key) {
  const auto removed = co_await payloads_.remove_object(key);
  if (!removed) {
    log::warn("a payload could not be removed; the bucket's lifecycle rule will",
              {{"key", key}, {"code", removed.error().code}});
  }
}

void SqsJobQueue::wake_receivers() {
  closed_ = true;
}

Task<Result<QueueDepth>> SqsJobQueue::depth() {
  constexpr const char* kReady = "ApproximateNumberOfMessages";
  constexpr const char* kInFlight = "ApproximateNumberOfMessagesNotVisible";
  const auto answer = co_await sqs_.call_json(
      "AmazonSQS.GetQueueAttributes", {{"QueueUrl", queue_url_}, {"AttributeNames", json::array{kReady, kInFlight}}},
      Repeat::safe);
  if (!answer) co_return fail(aws::queue_error(answer.error()));
  QueueDepth depth;
  if (const auto* attributes = object_in(*answer, "Attributes")) {
    depth.ready = number_of(*attributes, kReady, 0);
    depth.in_flight = number_of(*attributes, kInFlight, 0);
  }
  co_return depth;
}

}  // namespace infra
