#include "platform/engines/aws/sqs_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

namespace infra::simulation {
namespace {

using std::chrono::seconds;

constexpr std::chrono::minutes kDeduplication{5};
constexpr std::chrono::hours kMostInFlight{12};  // of one message, from its first receive
constexpr seconds kLeftPollVisibility{30};

std::unexpected<Refusal> dead_receipt() {
  return refuse(400, "InvalidParameterValue",
                "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for "
                "visibility timeout change.");
}

}  // namespace

std::string SqsQueue::send(std::string body, const std::string& group, const std::string& deduplication) {
  auto& dice = aws_.dice;
  const SteadyTime now = aws_.now();
  expire();
  if (options_.fifo) {
    const auto known = deduplication_.find(deduplication);
    if (known != deduplication_.end()) return known->second.message_id;
  }
  SqsMessage message{.id = fmt::format("{:016x}-{:04}", dice.draw(), last_order_ + 1),
                     .body = std::move(body),
                     .group = group,
                     .sent = now,
                     .visible_at = now};
  if (options_.fifo) {
    deduplication_[deduplication] = {.until = now + kDeduplication, .message_id = message.id};
  }
  const auto& faults = aws_.faults.sqs;
  if (dice.chance(faults.delayed)) message.visible_at += dice.between(milliseconds{1}, faults.delay_most);
  std::string id = message.id;
  const bool is_copied = !options_.fifo && dice.chance(faults.copied);
  message.was_copied = is_copied;
  const auto at = add(message);
  if (is_copied) add(message);
  const bool is_taken = !left_polls_.empty() && left_polls_.front() > now && at->second.visible_at <= now;
  if (is_taken) {
    left_polls_.pop_front();
    (void)hand_out(at, kLeftPollVisibility);
  }
  aws_.changed();
  return id;
}

void SqsQueue::take_in(SqsMessage message) {
  message.sent = aws_.now();
  message.visible_at = aws_.now();
  message.first_received.reset();
  message.receipt.clear();
  add(std::move(message));
  aws_.changed();
}

SqsQueue::Messages::iterator SqsQueue::add(SqsMessage message) {
  return messages_.emplace(++last_order_, std::move(message)).first;
}

void SqsQueue::expire() {
  const SteadyTime now = aws_.now();
  std::erase_if(messages_, [&](const auto& entry) { return entry.second.sent + options_.retention <= now; });
  std::erase_if(deduplication_, [&](const auto& entry) { return entry.second.until <= now; });
  while (!left_polls_.empty() && left_polls_.front() <= now) left_polls_.pop_front();
}

// In order; of a FIFO queue's group nothing while an earlier one of it is not visible.
std::vector<SqsQueue::Messages::iterator> SqsQueue::receivable() {
  const SteadyTime now = aws_.now();
  std::set<std::string_view> held;
  std::vector<Messages::iterator> found;
  for (auto at = messages_.begin(); at != messages_.end(); ++at) {
    const SqsMessage& message = at->second;
    if (options_.fifo && held.contains(message.group)) continue;
    if (message.visible_at <= now) {
      found.push_back(at);
    } else if (options_.fifo) {
      held.insert(message.group);
    }
  }
  return found;
}

std::optional<SteadyTime> SqsQueue::next_visible() {
  expire();
  if (!receivable().empty()) return aws_.now();
  std::optional<SteadyTime> next;
  for (const auto& [order, message] : messages_) next = std::min(next.value_or(message.visible_at), message.visible_at);
  return next;
}

std::vector<SqsMessage> SqsQueue::receive(std::size_t most, seconds visibility, bool waits,
                                          std::vector<SqsMessage>& dead) {
  auto& dice = aws_.dice;
  const auto& faults = aws_.faults.sqs;
  expire();
  auto ready = receivable();
  std::vector<SqsMessage> got;
  if (!ready.empty() && !waits && dice.chance(faults.empty_poll)) return got;
  if (ready.size() > 1 && dice.chance(faults.short_poll)) most = std::min(most, 1 + dice.below(ready.size() - 1));
  while (!ready.empty() && got.size() < most) {
    const bool any = !options_.fifo && dice.chance(faults.reordered);
    const auto chosen = ready.begin() + static_cast<std::ptrdiff_t>(any ? dice.below(ready.size()) : 0);
    const auto at = *chosen;
    ready.erase(chosen);
    if (!options_.dead_letters.empty() && at->second.receives >= options_.max_receives) {
      dead.push_back(std::move(at->second));
      messages_.erase(at);
      continue;
    }
    got.push_back(hand_out(at, visibility));
  }
  return got;
}

SqsMessage SqsQueue::hand_out(Messages::iterator at, seconds visibility) {
  auto& dice = aws_.dice;
  SqsMessage& message = at->second;
  if (!options_.fifo && !message.was_copied && dice.chance(aws_.faults.sqs.twice_at_once)) {
    message.was_copied = true;
    add(message);  // as it was, for the next receiver
    aws_.changed();
  }
  message.receipt = fmt::format("{}:{}:{:016x}", at->first, ++receipts_, dice.draw());
  message.visible_at = aws_.now() + visibility;
  if (!message.first_received) message.first_received = aws_.now();
  ++message.receives;
  return message;
}

// `end` if there is no such message any more, or its last receipt is another one.
Answered<SqsQueue::Messages::iterator> SqsQueue::find(const std::string& receipt) {
  expire();
  std::uint64_t order = 0;
  const auto [end, error] = std::from_chars(receipt.data(), receipt.data() + receipt.size(), order);
  if (error != std::errc{} || end == receipt.data() + receipt.size() || *end != ':' || order > last_order_)
    return refuse(400, "ReceiptHandleIsInvalid", "The input receipt handle is invalid.");
  const auto at = messages_.find(order);
  if (at == messages_.end() || at->second.receipt != receipt) return messages_.end();
  if (aws_.dice.chance(aws_.faults.sqs.forgotten)) {
    at->second.receipt.clear();
    return refuse(400, "ReceiptHandleIsInvalid", "The input receipt handle is not valid any more.");
  }
  return at;
}

// An old receipt deletes nothing and is told nothing; so it is with one that is forgotten, later.
Answered<void> SqsQueue::remove(const std::string& receipt) {
  const auto found = find(receipt);
  if (!found) return std::unexpected(found.error());
  if (*found == messages_.end()) return {};
  SqsMessage& message = (*found)->second;
  if (options_.fifo && message.visible_at <= aws_.now())
    return refuse(400, "InvalidParameterValue",
                  "Value for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.");
  if (!options_.fifo && !message.was_undeleted && aws_.dice.chance(aws_.faults.sqs.undeleted)) {
    message.was_undeleted = true;
    return {};
  }
  messages_.erase(*found);
  if (options_.fifo) aws_.changed();  // the next of its group
  return {};
}

Answered<void> SqsQueue::change_visibility(const std::string& receipt, seconds visibility) {
  const auto found = find(receipt);
  if (!found) return std::unexpected(found.error());
  if (*found == messages_.end()) return dead_receipt();
  SqsMessage& message = (*found)->second;
  const SteadyTime now = aws_.now();
  if (message.visible_at <= now) return dead_receipt();
  if (now + visibility > message.first_received.value_or(now) + kMostInFlight)
    return refuse(400, "InvalidParameterValue",
                  "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].");
  message.visible_at = now + visibility;
  aws_.changed();
  return {};
}

void SqsQueue::leave_poll(SteadyTime until) {
  left_polls_.push_back(until);
}

std::size_t SqsQueue::visible() {
  expire();
  const SteadyTime now = aws_.now();
  return static_cast<std::size_t>(
      std::ranges::count_if(messages_, [&](const auto& entry) { return entry.second.visible_at <= now; }));
}

std::size_t SqsQueue::in_flight() {
  expire();
  const SteadyTime now = aws_.now();
  return static_cast<std::size_t>(std::ranges::count_if(
      messages_, [&](const auto& entry) { return entry.second.visible_at > now && entry.second.receives > 0; }));
}

std::vector<SqsMessage> SqsQueue::messages() {
  expire();
  std::vector<SqsMessage> all;
  for (const auto& [order, message] : messages_) all.push_back(message);
  return all;
}

}  // namespace infra::simulation
