// The books of a server's connections: who may stay, and who goes when a newcomer finds no room. It opens and closes
// nothing itself, and knows no time but the one it is told.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/mutex.h"
#include "core/time.h"

namespace infra::net {

struct ConnectionLimits {
  std::size_t table = 10'000;  // connections at once
  std::size_t share = 256;     // of them, an address's that have shown no key; IPv6 by its /64. 0: no shares
  // Beside the table: those that ask for health, and newcomers to a table in which none can be closed. 0: there is
  // none, and such newcomers are to be refused.
  std::size_t reserve = 256;
  std::size_t reserve_share = 64;  // of it, an address's; 0: no shares
  std::size_t closing = 256;       // told to close, and still open

  [[nodiscard]] std::size_t sockets() const { return table + reserve + closing; }
};

// For a program that may have `descriptors` open: connections get half of them, and no more than 10,000 and what is
// beside the table. The rest is for engines, sandboxes and files. `shares`: false where all connections come from
// proxies, whose addresses say nothing.
[[nodiscard]] ConnectionLimits connection_limits(std::size_t descriptors, bool shares = true);

enum class Standing : std::uint8_t {
  stranger,  // has shown no key
  client,    // has: it counts for the table alone
  reserve,   // in the reserve
  going      // told to close; no longer in the books
};

class ConnectionTable;

// A connection's entry, from its acceptance to the end of its socket. Its owner's thread, but where it says otherwise.
class ConnectionPlace {
 public:
  // Makes room: another connection's `close` may be called, on this thread, and then does no more than post. `address`
  // as rate_key() writes it.
  ConnectionPlace(ConnectionTable& table, std::string_view address, SteadyTime now, std::function<void()> close);
  ~ConnectionPlace();
  ConnectionPlace(const ConnectionPlace&) = delete;
  ConnectionPlace& operator=(const ConnectionPlace&) = delete;

  // Between the two it is left alone, whoever comes.
  void begin_request(SteadyTime now) {
    used_.store(now, std::memory_order_relaxed);
    busy_.store(true, std::memory_order_relaxed);
  }
  void end_request() { busy_.store(false, std::memory_order_relaxed); }

  // The key was right. False if it is in the reserve, and the table has no room for one client more.
  [[nodiscard]] bool show_key();
  // It asks for health, and has shown no key: from here on it has no part in its address's share.
  void ask_for_health();

  [[nodiscard]] bool is_client() const { return standing_.load(std::memory_order_relaxed) == Standing::client; }
  [[nodiscard]] Standing standing() const { return standing_.load(std::memory_order_relaxed); }

 private:
  friend class ConnectionTable;
  using Line = std::list<ConnectionPlace*>;
  struct Share {
    Line strangers;
    Line reserve;
  };
  using Shares = std::unordered_map<std::string, Share>;

  ConnectionTable& table_;
  const std::function<void()> close_;
  std::atomic<bool> busy_ = false;
  std::atomic<SteadyTime> used_;
  std::atomic<Standing> standing_ = Standing::stranger;  // changes under the table's lock
  // Under the table's lock:
  SteadyTime seen_;  // `used_` when it got its place in the line
  Line::iterator in_line_;
  Line::iterator in_share_;
  Shares::iterator share_;
};

// Any thread. Every step looks at a bounded number of entries.
class ConnectionTable {
 public:
  // Who was told to close: "share" (of its address), "table" or "reserve".
  using Told = std::function<void(std::string_view why)>;
  // Whether there are to be no more connections than now, for want of descriptors: each newcomer takes the place of
  // another, or one of kCrowded in the reserve.
  using Crowded = std::function<bool()>;
  static constexpr std::size_t kCrowded = 8;

  explicit ConnectionTable(ConnectionLimits limits, Told told = {}, Crowded crowded = {})
      : limits_(limits), told_(std::move(told)), crowded_(std::move(crowded)) {}
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;

  struct Count {
    std::size_t strangers = 0;
    std::size_t clients = 0;
    std::size_t reserve = 0;
    std::size_t closing = 0;
    [[nodiscard]] std::size_t all() const { return strangers + clients + reserve + closing; }
  };
  [[nodiscard]] Count count() const;
  // Of the sockets that there may be. False until some have closed: no connection is to be accepted meanwhile.
  [[nodiscard]] bool may_accept() const;
  [[nodiscard]] double pressure() const;  // 0 to 1
  [[nodiscard]] const ConnectionLimits& limits() const { return limits_; }

 private:
  friend class ConnectionPlace;
  using Place = ConnectionPlace;
  using Line = Place::Line;

  void admit(Place& place, std::string_view address);
  void leave(Place& place);
  [[nodiscard]] bool promote(Place& place);
  void demote(Place& place);

  [[nodiscard]] bool is_crowded() const { return crowded_ && crowded_(); }
  [[nodiscard]] std::size_t most(std::size_t limit) const { return is_crowded() ? std::min(limit, kCrowded) : limit; }
  [[nodiscard]] bool make_room_in_table() INFRA_REQUIRES(mutex_);
  void enter_reserve(Place& place) INFRA_REQUIRES(mutex_);
  [[nodiscard]] Place* oldest_stranger(const Line& line) const INFRA_REQUIRES(mutex_);
  [[nodiscard]] Place* longest_unused(Line& line) INFRA_REQUIRES(mutex_);
  void touch(Place& place) INFRA_REQUIRES(mutex_);
  void put(Place& place, Standing standing) INFRA_REQUIRES(mutex_);
  void take_out(Place& place) INFRA_REQUIRES(mutex_);
  void drop(Place& place, std::string_view why) INFRA_REQUIRES(mutex_);
  [[nodiscard]] Line& line_of(Standing standing) INFRA_REQUIRES(mutex_);
  [[nodiscard]] Count count_locked() const INFRA_REQUIRES(mutex_);

  const ConnectionLimits limits_;
  const Told told_;
  const Crowded crowded_;
  mutable Mutex mutex_;
  Line strangers_ INFRA_GUARDED_BY(mutex_);  // as they came
  // In the order of their last use, the longest ago first; who has been used since moves back when it is met.
  Line clients_ INFRA_GUARDED_BY(mutex_);
  Line reserve_ INFRA_GUARDED_BY(mutex_);
  Place::Shares shares_ INFRA_GUARDED_BY(mutex_);
  std::size_t closing_ INFRA_GUARDED_BY(mutex_) = 0;
};

}  // namespace infra::net
