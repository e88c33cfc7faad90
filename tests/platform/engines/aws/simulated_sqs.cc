#include "platform/engines/aws/simulated_sqs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <set>
#include <stdexcept>
#include <utility>

#include "core/json_value.h"
#include "platform/engines/aws/aws_answers.h"

namespace infra::simulation {
namespace {

namespace json = boost::json;
using std::chrono::seconds;

constexpr std::size_t kMaxBytes = 256 * 1024;
constexpr std::int64_t kMostVisibility = 43'200;
constexpr std::int64_t kMostWait = 20;
constexpr std::size_t kMostEntries = 10;
constexpr milliseconds kMostSkew = std::chrono::minutes{5};

std::string_view name_of(std::string_view url) {
  return url.substr(url.rfind('/') + 1);
}

std::int64_t whole(const json::object& fields, std::string_view name, std::int64_t otherwise) {
  const auto* value = fields.if_contains(name);
  if (value == nullptr || !value->is_number()) return otherwise;
  return value->to_number<std::int64_t>();
}

std::unexpected<Refusal> bad_value(std::string_view field) {
  return refuse(400, "InvalidParameterValue", fmt::format("Value for parameter {} is invalid.", field));
}

// #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF. That it is UTF-8 the JSON has shown.
bool has_only_allowed(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') return false;
    const auto tail = text.substr(i, 3);
    if (tail == "\xEF\xBF\xBE" || tail == "\xEF\xBF\xBF") return false;
  }
  return true;
}

const json::array* entries_of(const json::object& fields) {
  const auto* value = fields.if_contains("Entries");
  return value == nullptr ? nullptr : value->if_array();
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kBatches{
    {{"SendMessageBatch", "SendMessage"},
     {"DeleteMessageBatch", "DeleteMessage"},
     {"ChangeMessageVisibilityBatch", "ChangeMessageVisibility"}}};

}  // namespace

std::string SimulatedSqs::make_queue(const std::string& name, QueueOptions options) {
  if (options.fifo != name.ends_with(".fifo")) throw std::invalid_argument("a FIFO queue's name ends in .fifo");
  if (!options.dead_letters.empty() && !queues_.contains(options.dead_letters))
    throw std::invalid_argument("the queue for dead letters is to be made first");
  queues_.emplace(std::piecewise_construct, std::forward_as_tuple(name),
                  std::forward_as_tuple(std::ref(aws_), std::move(options)));
  return fmt::format("https://sqs.eu-central-1.amazonaws.com/123456789012/{}", name);
}

SqsQueue& SimulatedSqs::queue_at(std::string_view url) {
  const auto found = queues_.find(name_of(url));
  if (found == queues_.end()) throw std::out_of_range("no such queue");
  return found->second;
}

SqsQueue* SimulatedSqs::queue_of(const Fields& fields) {
  const auto found = queues_.find(name_of(text_of(fields, "QueueUrl")));
  return found == queues_.end() ? nullptr : &found->second;
}

net::Response SimulatedSqs::refusal(const Refusal& refusal) const {
  return json_refusal("com.amazonaws.sqs", refusal);
}

Refusal SimulatedSqs::too_many_requests() const {
  return {.status = 403, .name = "RequestThrottled", .message = "Request throttled."};
}

Refusal SimulatedSqs::failure() const {
  return {.status = 500, .name = "InternalFailure", .message = "The request has failed because of an unknown error."};
}

std::optional<Refusal> SimulatedSqs::refuse_date(milliseconds ahead) const {
  if (std::chrono::abs(ahead) <= kMostSkew) return std::nullopt;
  return Refusal{.status = 403,
                 .name = "InvalidSignatureException",
                 .message = ahead < milliseconds{0} ? "Signature expired." : "Signature not yet current."};
}

std::optional<SteadyTime> SimulatedSqs::waits_until(const ServiceRequest& request, SteadyTime arrived) {
  if (request.action != "ReceiveMessage") return std::nullopt;
  const SteadyTime end = arrived + seconds{whole(request.fields, "WaitTimeSeconds", 0)};
  SqsQueue* const queue = queue_of(request.fields);
  const SteadyTime now = aws_.now();
  if (queue == nullptr || end <= now) return std::nullopt;
  const auto next = queue->next_visible();
  if (next && *next <= now) return std::nullopt;
  return next ? std::min(*next, end) : end;
}

void SimulatedSqs::abandon(const ServiceRequest& request, SteadyTime arrived) {
  SqsQueue* const queue = queue_of(request.fields);
  if (queue == nullptr || !aws_.dice.chance(aws_.faults.sqs.abandoned_poll)) return;
  queue->leave_poll(arrived + seconds{whole(request.fields, "WaitTimeSeconds", 0)});
}

net::Response SimulatedSqs::answer(const ServiceRequest& request) {
  const auto done = carry_out(request);
  return done ? json_answer(*done) : refusal(done.error());
}

Answered<SimulatedSqs::Fields> SimulatedSqs::carry_out(const ServiceRequest& request) {
  SqsQueue* const queue = queue_of(request.fields);
  if (queue == nullptr) return refuse(400, "QueueDoesNotExist", "The specified queue does not exist.");
  if (request.action == "ReceiveMessage") return receive(*queue, request.fields);
  if (request.action == "GetQueueAttributes") return attributes(*queue, request.fields);
  for (const auto& [several, single] : kBatches) {
    if (request.action == single) return one(single, *queue, request.fields);
    if (request.action == several) return batch(single, *queue, request.fields);
  }
  aws_.complain(fmt::format("SQS was asked for {}", request.action));
  return refuse(400, "InvalidAction");
}

Answered<SimulatedSqs::Fields> SimulatedSqs::one(std::string_view action, SqsQueue& queue, const Fields& entry) {
  static const std::set<std::string_view> kKnown{
      "QueueUrl",         "Id", "MessageBody", "MessageGroupId", "ReceiptHandle", "MessageDeduplicationId",
      "VisibilityTimeout"};
  for (const auto& field : entry) {
    if (!kKnown.contains(field.key())) aws_.complain(fmt::format("SQS was sent {}", std::string(field.key())));
  }
  if (action == "SendMessage") return send(queue, entry);
  if (action == "DeleteMessage") return remove(queue, entry);
  return change_visibility(queue, entry);
}

Answered<SimulatedSqs::Fields> SimulatedSqs::send(SqsQueue& queue, const Fields& entry) {
  const std::string body = text_of(entry, "MessageBody");
  if (body.empty()) return refuse(400, "MissingParameter", "The request must contain the parameter MessageBody.");
  if (body.size() > kMaxBytes)
    return refuse(400, "InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter.");
  if (!has_only_allowed(body)) return refuse(400, "InvalidMessageContents", "Invalid binary character in a message.");
  const std::string group = text_of(entry, "MessageGroupId");
  const std::string deduplication = text_of(entry, "MessageDeduplicationId");
  if (queue.options().fifo == group.empty() || queue.options().fifo == deduplication.empty())
    return bad_value("MessageGroupId or MessageDeduplicationId");
  return Fields{{"MessageId", queue.send(body, group, deduplication)}};
}

Answered<SimulatedSqs::Fields> SimulatedSqs::receive(SqsQueue& queue, const Fields& fields) {
  static const std::set<std::string_view> kKnown{"QueueUrl", "MaxNumberOfMessages", "WaitTimeSeconds",
                                                 "VisibilityTimeout", "MessageSystemAttributeNames"};
  for (const auto& field : fields) {
    if (!kKnown.contains(field.key())) aws_.complain(fmt::format("ReceiveMessage has {}", std::string(field.key())));
  }
  const auto most = whole(fields, "MaxNumberOfMessages", 1);
  const auto wait = whole(fields, "WaitTimeSeconds", 0);
  const auto visibility = whole(fields, "VisibilityTimeout", 30);
  if (most < 1 || std::cmp_greater(most, kMostEntries)) return bad_value("MaxNumberOfMessages");
  if (wait < 0 || wait > kMostWait) return bad_value("WaitTimeSeconds");
  if (visibility < 0 || visibility > kMostVisibility) return bad_value("VisibilityTimeout");
  std::vector<SqsMessage> dead;
  const auto got = queue.receive(static_cast<std::size_t>(most), seconds{visibility}, wait > 0, dead);
  for (auto& message : dead) queues_.find(queue.options().dead_letters)->second.take_in(std::move(message));
  if (got.empty()) return Fields{};
  json::array messages;
  for (const auto& message : got) {
    Fields told{{"MessageId", message.id}, {"ReceiptHandle", message.receipt}, {"Body", message.body}};
    if (fields.contains("MessageSystemAttributeNames"))
      told["Attributes"] = Fields{{"ApproximateReceiveCount", std::to_string(message.receives)}};
    messages.emplace_back(std::move(told));
  }
  return Fields{{"Messages", std::move(messages)}};
}

Answered<SimulatedSqs::Fields> SimulatedSqs::remove(SqsQueue& queue, const Fields& entry) {
  const auto done = queue.remove(text_of(entry, "ReceiptHandle"));
  if (!done) return std::unexpected(done.error());
  return Fields{};
}

Answered<SimulatedSqs::Fields> SimulatedSqs::change_visibility(SqsQueue& queue, const Fields& entry) {
  const auto visibility = whole(entry, "VisibilityTimeout", -1);
  if (visibility < 0 || visibility > kMostVisibility) return bad_value("VisibilityTimeout");
  const auto done = queue.change_visibility(text_of(entry, "ReceiptHandle"), seconds{visibility});
  if (!done) return std::unexpected(done.error());
  return Fields{};
}

Answered<SimulatedSqs::Fields> SimulatedSqs::attributes(SqsQueue& queue, const Fields& fields) {
  const auto* names = fields.if_contains("AttributeNames");
  Fields told;
  if (names == nullptr || !names->is_array()) return Fields{{"Attributes", told}};
  for (const auto& name : names->get_array()) {
    std::size_t count = 0;
    if (name == "ApproximateNumberOfMessages") {
      count = queue.visible();
    } else if (name == "ApproximateNumberOfMessagesNotVisible") {
      count = queue.in_flight();
    } else {
      aws_.complain("GetQueueAttributes is asked for another attribute");
    }
    if (aws_.dice.chance(aws_.faults.sqs.miscounted)) count = count == 0 ? 1 : count - 1;
    told[name.as_string()] = std::to_string(count);
  }
  return Fields{{"Attributes", std::move(told)}};
}

Answered<SimulatedSqs::Fields> SimulatedSqs::batch(std::string_view action, SqsQueue& queue, const Fields& fields) {
  const auto* const entries = entries_of(fields);
  if (entries == nullptr || entries->empty()) return refuse(400, "EmptyBatchRequest");
  if (entries->size() > kMostEntries) return refuse(400, "TooManyEntriesInBatchRequest");
  std::size_t bytes = 0;
  std::set<std::string> ids;
  for (const auto& entry : *entries) {
    if (!entry.is_object() || !ids.insert(text_of(entry.get_object(), "Id")).second)
      return refuse(400, "BatchEntryIdsNotDistinct");
    bytes += text_of(entry.get_object(), "MessageBody").size();
  }
  if (bytes > kMaxBytes)
    return refuse(400, "BatchRequestTooLong", "Batch requests cannot be longer than 262144 bytes.");
  auto& dice = aws_.dice;
  const auto& faults = aws_.faults.sqs;
  json::array good;
  json::array bad;
  const auto failed = [&](const std::string& id, const Refusal& why) {
    bad.push_back({{"Id", id}, {"Code", why.name}, {"Message", why.message}, {"SenderFault", why.status < 500}});
  };
  for (const auto& entry : *entries) {
    const std::string id = text_of(entry.get_object(), "Id");
    if (dice.chance(faults.entry_throttled)) {
      failed(id, {.status = 400, .name = "RequestThrottled"});
      continue;
    }
    const bool fails = dice.chance(faults.entry_failed);
    if (fails && dice.chance(0.5)) {
      failed(id, {.status = 500, .name = "InternalError"});
      continue;
    }
    auto done = one(action, queue, entry.get_object());
    if (fails) {
      failed(id, {.status = 500, .name = "InternalError"});
    } else if (!done) {
      failed(id, done.error());
    } else {
      (*done)["Id"] = id;
      good.emplace_back(std::move(*done));
    }
  }
  Fields told;
  if (!good.empty()) told["Successful"] = std::move(good);
  if (!bad.empty()) told["Failed"] = std::move(bad);
  return told;
}

}  // namespace infra::simulation
