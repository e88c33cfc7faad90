#include "adapters/aws/sqs/queue_setup.h"

#include <fmt/format.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "adapters/aws/wire/json_answer.h"

namespace infra::aws {
namespace {

namespace json = boost::json;
using State = ResourceReport::State;

constexpr milliseconds kPatience{10'000};
constexpr std::string_view kFifo = ".fifo";
// docs/aws.md says why.
constexpr std::int64_t kVisibility = 30;                  // seconds
constexpr std::int64_t kRetention = 14LL * 24 * 60 * 60;  // the most that SQS has
constexpr std::int64_t kMostReceives = 1000;

Task<Result<json::object>> call(AwsClient& sqs, std::string_view action, json::object body, Repeat repeat) {
  return sqs.call_json(fmt::format("AmazonSQS.{}", action), std::move(body), repeat, kPatience, kPatience);
}

// Attributes go as text, each of them.
json::object wish_for(bool is_fifo, const std::string& dead_arn) {
  json::object wish{{"MessageRetentionPeriod", std::to_string(kRetention)}};
  if (is_fifo) wish["FifoQueue"] = "true";
  if (dead_arn.empty()) return wish;
  wish["VisibilityTimeout"] = std::to_string(kVisibility);
  wish["RedrivePolicy"] =
      json::serialize(json::object{{"deadLetterTargetArn", dead_arn}, {"maxReceiveCount", kMostReceives}});
  return wish;
}

// Of what is wished for, what the queue lacks: a longer retention, or a larger count of receives, is as good.
json::object lacks(const json::object& has, const json::object& wish) {
  json::object lacking;
  for (const auto& [name, value] : wish) {
    const std::string is = text_of(has, name);
    if (name == "RedrivePolicy") {
      boost::system::error_code error;
      const auto policy = json::parse(is, error);
      const auto* count = !error && policy.is_object() ? policy.get_object().if_contains("maxReceiveCount") : nullptr;
      const auto receives = count == nullptr     ? 0
                            : count->is_string() ? number_of(policy.get_object(), "maxReceiveCount", 0)
                                                 : count->to_number<std::int64_t>();
      if (receives < kMostReceives) lacking.emplace(name, value);
    } else if (name == "FifoQueue") {
      continue;  // in the name
    } else if (number_of(has, name, 0) < number_of(wish, name, 0)) {
      lacking.emplace(name, value);
    }
  }
  return lacking;
}

struct Queue {
  ResourceReport report;
  std::string url{};
  std::string arn{};
};

std::string words_of(const json::object& lacking) {
  std::string words;
  for (const auto& [name, value] : lacking)
    words +=
        fmt::format("{}{} is to be {}", words.empty() ? "" : "; ", std::string(name), std::string(value.get_string()));
  return words + ".";
}

Task<Queue> set_up_queue(AwsClient& sqs, std::string name, std::string dead_arn, OnMissing how) {
  Queue queue{.report = {.kind = "sqs queue", .name = name}};
  ResourceReport& report = queue.report;
  const auto failed = [&](const Error& error) {
    report.state = State::failed;
    report.detail = error.message;
    return std::move(queue);
  };
  const json::object wish = wish_for(name.ends_with(kFifo), dead_arn);
  auto known = co_await call(sqs, "GetQueueUrl", {{"QueueName", name}}, Repeat::safe);
  if (!known) {
    if (known.error().kind != ErrorKind::not_found) co_return failed(known.error());
    report.state = State::missing;
    if (how == OnMissing::check) co_return queue;
    known = co_await call(sqs, "CreateQueue", {{"QueueName", name}, {"Attributes", wish}}, Repeat::safe);
    if (!known) co_return failed(known.error());
    report.state = State::made;
  }
  queue.url = text_of(*known, "QueueUrl");
  const auto said = co_await call(sqs, "GetQueueAttributes",
                                  {{"QueueUrl", queue.url}, {"AttributeNames", json::array{"All"}}}, Repeat::safe);
  if (!said) co_return failed(said.error());
  static const json::object kNone;
  const auto* has = object_in(*said, "Attributes");
  if (has == nullptr) has = &kNone;
  queue.arn = text_of(*has, "QueueArn");
  const json::object lacking = lacks(*has, wish);
  if (lacking.empty()) co_return queue;
  if (how == OnMissing::check) {
    report.state = State::differs;
    report.detail = words_of(lacking);
    co_return queue;
  }
  const auto set =
      co_await call(sqs, "SetQueueAttributes", {{"QueueUrl", queue.url}, {"Attributes", lacking}}, Repeat::safe);
  if (!set) co_return failed(set.error());
  if (report.state == State::ok) {
    report.state = State::changed;
    report.detail = words_of(lacking);
  }
  co_return queue;
}

}  // namespace

Task<QueuesSetUp> set_up_queues(AwsClient& sqs, std::string name, OnMissing how) {
  const bool is_fifo = name.ends_with(kFifo);
  const std::string bare = is_fifo ? name.substr(0, name.size() - kFifo.size()) : name;
  Queue dead = co_await set_up_queue(sqs, fmt::format("{}-dead{}", bare, is_fifo ? kFifo : ""), "", how);
  // Without one that is there the job queue is looked at all the same.
  const std::string arn = dead.arn.empty() ? "(the queue of dead letters)" : dead.arn;
  const OnMissing jobs = dead.arn.empty() ? OnMissing::check : how;
  Queue queue = co_await set_up_queue(sqs, std::move(name), arn, jobs);
  QueuesSetUp done{.reports = {}, .url = queue.url};
  done.reports.push_back(std::move(dead.report));
  done.reports.push_back(std::move(queue.report));
  co_return done;
}

}  // namespace infra::aws
