// The last events of runs, for those who look on. They are written down once, into a ring that all subscribers read at
// their own pace: one that is slow loses events, and nobody waits for it. While nobody listens nothing is kept.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/live_events.h"

namespace infra::app {

struct EventFilter {
  bool runs = true;
  bool logs = true;
  std::vector<FunctionId> functions{};  // empty: all
  [[nodiscard]] bool matches(const LiveEvent& event) const;
};

struct EventBatch {
  struct Item {
    std::string id;  // for who comes back later, to go on behind it
    std::shared_ptr<const LiveEvent> event;
  };
  bool gap = false;                   // events are missing before the first item
  std::optional<std::uint64_t> lost;  // how many of those that it waits for; none: unknown
  std::vector<Item> items;
};

struct FeedLimits {
  std::size_t events = 10'000;
  std::size_t bytes = 4 * 1024 * 1024;
  // Events are kept on so long without a listener, for one whose connection broke.
  std::chrono::seconds linger{60};
};

// Any thread.
class EventFeed final : public LiveEvents {
 public:
  class Subscription;

  // `seed`: ids of two programs, or of one and its successor, are different.
  EventFeed(Clock& clock, std::string seed, FeedLimits limits = {})
      : clock_(clock), seed_(std::move(seed)), limits_(limits) {}

  void tell(LiveEvent event) override;

  // Others have told of something that did not come here.
  void miss();

  // `after`: the id of the last item that the client has had; empty: it begins with what comes now. The feed must
  // outlive it.
  [[nodiscard]] std::unique_ptr<Subscription> subscribe(EventFilter filter, std::string_view after);

  [[nodiscard]] std::size_t listeners() const;

 private:
  struct Entry {
    std::uint64_t number = 0;
    std::shared_ptr<const LiveEvent> event;
  };
  void drop_oldest() INFRA_REQUIRES(mutex_);
  void fall_asleep() INFRA_REQUIRES(mutex_);
  [[nodiscard]] std::string id_of(std::uint64_t number) const INFRA_REQUIRES(mutex_);
  // The number in an id of the present epoch.
  [[nodiscard]] std::optional<std::uint64_t> number_in(std::string_view id) const INFRA_REQUIRES(mutex_);

  Clock& clock_;
  const std::string seed_;
  const FeedLimits limits_;
  mutable Mutex mutex_;
  std::deque<Entry> ring_ INFRA_GUARDED_BY(mutex_);
  std::size_t bytes_ INFRA_GUARDED_BY(mutex_) = 0;
  std::uint64_t next_ INFRA_GUARDED_BY(mutex_) = 1;   // the coming event's number
  std::uint64_t epoch_ INFRA_GUARDED_BY(mutex_) = 0;  // one more each time that events were missed
  std::vector<Subscription*> subscriptions_ INFRA_GUARDED_BY(mutex_);
  SteadyTime left_at_ INFRA_GUARDED_BY(mutex_){};  // when the last listener left
};

// One reader's place in the ring.
class EventFeed::Subscription {
 public:
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  // What has come since, of about so many bytes of data at most. One caller.
  [[nodiscard]] EventBatch take(std::size_t max_bytes);
  // Until something that it waits for has come, or it is woken. One caller, the same.
  Task<void> wait_until(SteadyTime deadline);
  // Ends the present wait and all later ones. Any thread.
  void wake();

 private:
  friend class EventFeed;
  Subscription(EventFeed& feed, EventFilter filter) : feed_(feed), filter_(std::move(filter)) {}

  EventFeed& feed_;
  const EventFilter filter_;
  // Under the feed's lock:
  std::uint64_t cursor_ = 0;  // the next number to be looked at
  std::uint64_t lost_ = 0;
  bool lost_unknown_ = false;
  bool woken_ = false;
  bool has_news_ = false;  // something that matches has come since take()
  std::shared_ptr<Signal> waiting_;
};

}  // namespace infra::app
