#include "adapters/redis/waiting_suspects.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace infra {
namespace {

std::uint64_t size_of(const Delivery& delivery) {
  std::uint64_t bytes = sizeof(Delivery) + delivery.job.input.size() + delivery.receipt.size();
  for (const auto& [name, value] : delivery.job.env) bytes += name.size() + value.size();
  return bytes;
}

}  // namespace

std::optional<milliseconds> WaitingSuspects::pause_for(const Delivery& delivery, SteadyTime now) {
  drop_visible(now);
  const auto taken_for = in_slot_.empty() ? milliseconds{0} : std::chrono::ceil<milliseconds>(now - in_slot_since_);
  const bool fits = waiting_.size() < kMost && bytes_ + size_of(delivery) <= kMostBytes;
  if (open_ && fits && taken_for < kPatience) return std::nullopt;
  return std::clamp<milliseconds>(taken_for, kShortestPause, limits::kVisibility);
}

void WaitingSuspects::add(Waiting suspect) {
  bytes_ += size_of(suspect.delivery);
  waiting_.push_back(std::move(suspect));
}

std::optional<WaitingSuspects::Waiting> WaitingSuspects::take(SteadyTime now) {
  drop_visible(now);
  if (waiting_.empty()) return std::nullopt;
  auto next = pop();
  in_slot_ = next.delivery.receipt;
  in_slot_since_ = now;
  return next;
}

std::vector<std::string> WaitingSuspects::take_all(SteadyTime now) {
  drop_visible(now);
  std::vector<std::string> receipts;
  while (!waiting_.empty()) receipts.push_back(pop().delivery.receipt);
  return receipts;
}

bool WaitingSuspects::any(SteadyTime now) {
  drop_visible(now);
  return !waiting_.empty();
}

// They come again by themselves, to whoever receives them.
void WaitingSuspects::drop_visible(SteadyTime now) {
  while (!waiting_.empty() && now >= waiting_.front().received + limits::kVisibility - kMargin) (void)pop();
}

WaitingSuspects::Waiting WaitingSuspects::pop() {
  Waiting first = std::move(waiting_.front());
  waiting_.pop_front();
  bytes_ -= size_of(first.delivery);
  return first;
}

}  // namespace infra
