#include "app/event_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace infra::app {
namespace {

constexpr std::size_t kOverhead = 128;  // of an event, about: what it takes beside its text

std::size_t cost_of(const LiveEvent& event) {
  return event.data.size() + event.function.value.size() + kOverhead;
}

}  // namespace

bool EventFilter::matches(const LiveEvent& event) const {
  if (!(event.kind == EventKind::run ? runs : logs)) return false;
  return functions.empty() || std::ranges::find(functions, event.function) != functions.end();
}

void EventFeed::tell(LiveEvent event) {
  auto shared = std::make_shared<const LiveEvent>(std::move(event));
  std::vector<std::shared_ptr<Signal>> woken;
  {
    const MutexLock lock(mutex_);
    if (subscriptions_.empty() && clock_.steady_now() >= left_at_ + limits_.linger) fall_asleep();
    if (!is_wanted()) return;
    bytes_ += cost_of(*shared);
    for (Subscription* subscription : subscriptions_) {
      if (subscription->has_news_ || !subscription->filter_.matches(*shared)) continue;
      subscription->has_news_ = true;
      if (subscription->waiting_) woken.push_back(std::exchange(subscription->waiting_, {}));
    }
    ring_.push_back({next_++, std::move(shared)});
    while (ring_.size() > limits_.events || bytes_ > limits_.bytes) drop_oldest();
  }
  for (const auto& signal : woken) signal->notify();
}

void EventFeed::miss() {
  std::vector<std::shared_ptr<Signal>> woken;
  {
    const MutexLock lock(mutex_);
    ++epoch_;  // who comes back with an id of before learns of it, too
    for (Subscription* subscription : subscriptions_) {
      subscription->lost_unknown_ = subscription->has_news_ = true;
      if (subscription->waiting_) woken.push_back(std::exchange(subscription->waiting_, {}));
    }
  }
  for (const auto& signal : woken) signal->notify();
}

void EventFeed::drop_oldest() {
  const Entry& oldest = ring_.front();
  for (Subscription* subscription : subscriptions_) {
    if (subscription->cursor_ > oldest.number) continue;
    subscription->cursor_ = oldest.number + 1;
    if (subscription->filter_.matches(*oldest.event)) ++subscription->lost_;
  }
  bytes_ -= cost_of(*oldest.event);
  ring_.pop_front();
}

// What happens from now on is not written down: who comes back later learns that.
void EventFeed::fall_asleep() {
  if (!is_wanted()) return;
  want(false);
  ++epoch_;
  ring_.clear();
  bytes_ = 0;
}

std::string EventFeed::id_of(std::uint64_t number) const {
  return fmt::format("{}.{}-{}", seed_, epoch_, number);
}

std::optional<std::uint64_t> EventFeed::number_in(std::string_view id) const {
  const auto dash = id.rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view digits = id.substr(dash + 1);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool ours = error == std::errc() && end == digits.data() + digits.size() && number < next_;
  if (!ours || id != id_of(number)) return std::nullopt;
  return number;
}

std::unique_ptr<EventFeed::Subscription> EventFeed::subscribe(EventFilter filter, std::string_view after) {
  std::unique_ptr<Subscription> subscription(new Subscription(*this, std::move(filter)));
  const MutexLock lock(mutex_);
  if (subscriptions_.empty() && clock_.steady_now() >= left_at_ + limits_.linger) fall_asleep();
  subscription->cursor_ = next_;
  if (!after.empty()) {
    const auto number = number_in(after);
    const std::uint64_t oldest = next_ - ring_.size();
    subscription->lost_unknown_ = !number || *number + 1 < oldest;
    if (!subscription->lost_unknown_) subscription->cursor_ = *number + 1;
    subscription->has_news_ = true;
  }
  subscriptions_.push_back(subscription.get());
  want(true);
  return subscription;
}

std::size_t EventFeed::listeners() const {
  const MutexLock lock(mutex_);
  return subscriptions_.size();
}

EventFeed::Subscription::~Subscription() {
  const MutexLock lock(feed_.mutex_);
  std::erase(feed_.subscriptions_, this);
  if (feed_.subscriptions_.empty()) feed_.left_at_ = feed_.clock_.steady_now();
}

EventBatch EventFeed::Subscription::take(std::size_t max_bytes) {
  EventBatch batch;
  std::size_t bytes = 0;
  const MutexLock lock(feed_.mutex_);
  batch.gap = lost_unknown_ || lost_ > 0;
  if (!lost_unknown_) batch.lost = lost_;
  lost_ = 0;
  lost_unknown_ = false;
  const std::uint64_t oldest = feed_.next_ - feed_.ring_.size();
  for (; cursor_ < feed_.next_; ++cursor_) {
    const Entry& entry = feed_.ring_[static_cast<std::size_t>(cursor_ - oldest)];
    if (!filter_.matches(*entry.event)) continue;
    bytes += cost_of(*entry.event);
    if (bytes > max_bytes && !batch.items.empty()) return batch;  // there is more: it has news still
    batch.items.push_back({feed_.id_of(entry.number), entry.event});
  }
  has_news_ = false;
  return batch;
}

Task<void> EventFeed::Subscription::wait_until(SteadyTime deadline) {
  std::shared_ptr<Signal> signal;
  {
    const MutexLock lock(feed_.mutex_);
    if (has_news_ || woken_) co_return;
    signal = waiting_ = feed_.clock_.make_signal();
  }
  (void)co_await signal->wait_until(deadline);
  const MutexLock lock(feed_.mutex_);
  if (waiting_ == signal) waiting_.reset();
}

void EventFeed::Subscription::wake() {
  std::shared_ptr<Signal> signal;
  {
    const MutexLock lock(feed_.mutex_);
    woken_ = true;
    signal = std::exchange(waiting_, {});
  }
  if (signal) signal->notify();
}

}  // namespace infra::app
