#include "adapters/aws/sqs/sqs_batcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <utility>

#include "adapters/aws/wire/json_answer.h"
#include "adapters/aws/wire/service_error.h"
#include "core/error_codes.h"
#include "core/operator_error_codes.h"
#include "telemetry/task_failures.h"

namespace infra::aws {
namespace {

namespace json = boost::json;

constexpr milliseconds kLeastTimeout{250};
constexpr std::size_t kMaxWords = 200;  // of SQS's own, in an error

Error unavailable(const ErrorEntry& entry, std::string message) {
  return {entry, std::move(message), std::chrono::seconds{1}};
}

// InvalidParameterValue is what SQS says of a receipt that has expired; nothing else in such a request varies.
bool is_dead_receipt(std::string_view action, std::string_view name) {
  if (action.starts_with("SendMessage")) return false;
  constexpr std::array<std::string_view, 4> kNames{"ReceiptHandleIsInvalid", "MessageNotInflight",
                                                   "AWS.SimpleQueueService.MessageNotInflight",
                                                   "InvalidParameterValue"};
  return std::ranges::find(kNames, name) != kNames.end();
}

// What SQS says of one entry that failed.
Error entry_error(std::string_view service, std::string_view action, const json::object& failed) {
  const json::value* sender = failed.if_contains("SenderFault");
  const bool ours = sender != nullptr && sender->is_bool() && sender->get_bool();
  const ServiceError said{.name = text_of(failed, "Code"), .message = text_of(failed, "Message").substr(0, kMaxWords)};
  if (is_dead_receipt(action, said.name))
    return {errors::receipt_dead, "The hand-over has ended; the job may be with another worker."};
  const int status = ours ? 400 : 500;
  return to_error(service, status, said, cause_of(status, said.name));
}

}  // namespace

Error queue_error(Error error) {
  if (error.kind != ErrorKind::not_found || error.code == errors::receipt_dead) return error;
  return unavailable(errors::queue_missing, "The job queue does not exist; check SQS_URL and AWS_REGION.");
}

// Shared with the requests in flight.
struct SqsBatcher::State {
  [[nodiscard]] milliseconds time_left(const SqsChanges& changes) const;
  Task<Result<void>> send_alone(std::shared_ptr<SqsChange> change);
  Task<void> send_together(SqsChanges changes);
  Task<void> send(SqsChanges changes);

  AwsClient& sqs;
  const std::string queue_url;
  Clock& clock;
  Executor& executor;
  const SqsBatch batch;
  SqsChangeLine line{};
};

milliseconds SqsBatcher::State::time_left(const SqsChanges& changes) const {
  SteadyTime deadline = SteadyTime::max();
  for (const auto& change : changes) deadline = std::min(deadline, change->deadline);
  return std::max(std::chrono::ceil<milliseconds>(deadline - clock.steady_now()), kLeastTimeout);
}

Task<Result<void>> SqsBatcher::State::send_alone(std::shared_ptr<SqsChange> change) {
  json::object body = change->entry;
  body["QueueUrl"] = queue_url;
  const milliseconds timeout = time_left({change});
  const auto answer =
      co_await sqs.call_json("AmazonSQS." + batch.single_action, std::move(body), Repeat::safe, timeout);
  if (!answer) co_return fail(queue_error(answer.error()));
  co_return Result<void>{};
}

Task<void> SqsBatcher::State::send_together(SqsChanges changes) {
  json::array entries;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    entries.push_back(changes[i]->entry);
    entries.back().get_object()["Id"] = fmt::format("{}", i);
  }
  json::object body{{"QueueUrl", queue_url}, {"Entries", std::move(entries)}};
  const auto answer =
      co_await sqs.call_json("AmazonSQS." + batch.action, std::move(body), Repeat::safe, time_left(changes));
  const Error silent = unavailable(errors::aws_unavailable, "SQS did not say what came of it; try again in a moment.");
  for (const auto& change : changes) change->outcome = fail(answer ? silent : queue_error(answer.error()));
  if (!answer) co_return;

  const auto change_of = [&changes](const json::object& item) {
    const auto index = static_cast<std::size_t>(number_of(item, "Id", -1));
    return index < changes.size() ? changes[index].get() : nullptr;
  };
  for_each_object(*answer, "Successful", [&](const json::object& item) {
    if (auto* change = change_of(item)) change->outcome = {};
  });
  for_each_object(*answer, "Failed", [&](const json::object& item) {
    if (auto* change = change_of(item)) change->outcome = fail(entry_error(sqs.service().name, batch.action, item));
  });
}

Task<void> SqsBatcher::State::send(SqsChanges changes) {
  if (changes.size() == 1 && !batch.single_action.empty()) {
    changes.front()->outcome = co_await send_alone(changes.front());
    co_return;
  }
  co_await send_together(changes);
  if (changes.size() == 1) co_return;

  // A request that was refused as a whole may have been so for one of them, and a throttled entry was not carried out.
  const auto refused = [](const auto& change) {
    return !change->outcome &&
           (change->outcome.error().kind == ErrorKind::invalid || change->outcome.error().kind == ErrorKind::too_large);
  };
  if (std::ranges::all_of(changes, refused)) {
    for (const auto& change : changes) co_await send({change});
    co_return;
  }
  SqsChanges again;
  for (const auto& change : changes) {
    if (!change->outcome && change->outcome.error().code == errors::aws_throttled &&
        !std::exchange(change->throttled, true))
      again.push_back(change);
  }
  if (!again.empty()) co_await send(std::move(again));
}

SqsBatcher::SqsBatcher(AwsClient& sqs, std::string queue_url, Clock& clock, Executor& executor, SqsBatch batch)
    : state_(new State{.sqs = sqs,
                       .queue_url = std::move(queue_url),
                       .clock = clock,
                       .executor = executor,
                       .batch = std::move(batch)}) {}

SqsBatcher::~SqsBatcher() = default;

Task<void> SqsBatcher::carry_out(std::shared_ptr<State> state, SqsChanges changes) {
  if (!co_await caught("SQS request", state->send(changes))) {
    for (const auto& change : changes) change->outcome = fail(internal_error());
  }
  for (const auto& change : changes) change->done->notify();
  start(state, state->line.request_ended(state->clock.steady_now()));
}

void SqsBatcher::start(const std::shared_ptr<State>& state, std::vector<SqsChanges> requests) {
  for (auto& request : requests) state->executor.spawn("SQS request", carry_out(state, std::move(request)));
}

Task<Result<void>> SqsBatcher::submit(json::object entry, std::size_t bytes) {
  const auto state = state_;
  const SteadyTime now = state->clock.steady_now();
  const auto change = std::make_shared<SqsChange>(SqsChange{.entry = std::move(entry),
                                                            .bytes = bytes,
                                                            .due = now + state->batch.linger,
                                                            .deadline = now + state->batch.deadline,
                                                            .done = state->clock.make_signal()});
  auto requests = state->line.add(change, now);
  if (requests.size() == 1 && requests.front().size() == 1 && requests.front().front() == change) {
    co_await carry_out(state, std::move(requests.front()));  // no detour for one that is alone
    co_return change->outcome;
  }
  start(state, std::move(requests));
  if (!co_await change->done->wait_until(change->due)) {
    start(state, state->line.take_due(state->clock.steady_now()));
    if (!co_await change->done->wait_until(change->deadline)) {
      if (state->line.withdraw(change))
        co_return fail(unavailable(errors::aws_timeout, "SQS did not answer in time; try again in a moment."));
      co_await change->done->wait_until(SteadyTime::max());  // its request has a deadline of its own
    }
  }
  co_return change->outcome;
}

}  // namespace infra::aws
