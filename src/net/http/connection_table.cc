#include "net/http/connection_table.h"

#include <algorithm>

namespace infra::net {
namespace {

constexpr std::size_t kLooks = 64;  // at entries that are busy, until one is given up looking for

// Where an entry is in one list only.
bool has_share(Standing standing) {
  return standing == Standing::stranger || standing == Standing::reserve;
}

}  // namespace

ConnectionLimits connection_limits(std::size_t descriptors, bool shares) {
  ConnectionLimits limits;
  const std::size_t sockets = std::min(descriptors / 2, limits.sockets());
  limits.reserve = limits.closing = std::clamp<std::size_t>(sockets / 8, 1, limits.reserve);
  limits.table = std::max<std::size_t>(sockets - std::min(sockets, limits.reserve + limits.closing), 1);
  limits.share = shares ? std::min(limits.share, std::max<std::size_t>(limits.table / 2, 1)) : 0;
  limits.reserve_share = shares ? std::max<std::size_t>(limits.reserve / 4, 1) : 0;
  return limits;
}

ConnectionPlace::ConnectionPlace(ConnectionTable& table, std::string_view address, SteadyTime now,
                                 std::function<void()> close)
    : table_(table), close_(std::move(close)), used_(now), seen_(now) {
  table_.admit(*this, address);
}

ConnectionPlace::~ConnectionPlace() {
  table_.leave(*this);
}

// A client that comes again costs no lock.
bool ConnectionPlace::show_key() {
  return is_client() || table_.promote(*this);
}

void ConnectionPlace::ask_for_health() {
  if (!is_client()) table_.demote(*this);
}

ConnectionTable::Count ConnectionTable::count() const {
  const MutexLock lock(mutex_);
  return count_locked();
}

ConnectionTable::Count ConnectionTable::count_locked() const {
  return {.strangers = strangers_.size(), .clients = clients_.size(), .reserve = reserve_.size(), .closing = closing_};
}

bool ConnectionTable::may_accept() const {
  const MutexLock lock(mutex_);
  return closing_ < most(limits_.closing) && count_locked().all() < limits_.sockets();
}

double ConnectionTable::pressure() const {
  return static_cast<double>(count().all()) / static_cast<double>(limits_.sockets());
}

void ConnectionTable::admit(Place& place, std::string_view address) {
  const MutexLock lock(mutex_);
  bool room = true;
  const auto known = shares_.find(std::string(address));
  if (limits_.share != 0 && known != shares_.end() && known->second.strangers.size() >= limits_.share) {
    Place* const oldest = oldest_stranger(known->second.strangers);
    room = oldest != nullptr;
    if (room) drop(*oldest, "share");
  }
  room = room && make_room_in_table();
  place.share_ = shares_.try_emplace(std::string(address)).first;
  if (room) {
    put(place, Standing::stranger);
  } else {
    enter_reserve(place);
  }
}

void ConnectionTable::leave(Place& place) {
  const MutexLock lock(mutex_);
  if (place.standing() == Standing::going) {
    --closing_;
  } else {
    take_out(place);
  }
}

bool ConnectionTable::promote(Place& place) {
  const MutexLock lock(mutex_);
  const Standing standing = place.standing();
  if (standing == Standing::going) return true;  // too late: its socket closes in a moment
  if (standing == Standing::reserve && !make_room_in_table()) return false;
  take_out(place);
  place.share_ = shares_.end();
  put(place, Standing::client);
  return true;
}

void ConnectionTable::demote(Place& place) {
  const MutexLock lock(mutex_);
  if (place.standing() == Standing::going) return;
  const std::string address = place.share_->first;
  take_out(place);
  place.share_ = shares_.try_emplace(address).first;
  enter_reserve(place);
}

// Strangers go first: none of them has had an authenticated request.
bool ConnectionTable::make_room_in_table() {
  if (strangers_.size() + clients_.size() < limits_.table && !is_crowded()) return true;
  Place* oldest = oldest_stranger(strangers_);
  if (oldest == nullptr) oldest = longest_unused(clients_);
  if (oldest == nullptr) return false;
  drop(*oldest, "table");
  return true;
}

// Whoever comes gets in; if all of the reserve is busy, it is a little larger until they are done.
void ConnectionTable::enter_reserve(Place& place) {
  auto& share = place.share_->second.reserve;
  Place* oldest = nullptr;
  if (limits_.reserve_share != 0 && share.size() >= limits_.reserve_share) {
    oldest = longest_unused(share);
  } else if (limits_.reserve != 0 && reserve_.size() >= most(limits_.reserve)) {
    oldest = longest_unused(reserve_);
  }
  put(place, Standing::reserve);
  if (oldest != nullptr) drop(*oldest, "reserve");
}

// What it asks without a key keeps no stranger in its place: else those that ask for ever would push out all others.
ConnectionPlace* ConnectionTable::oldest_stranger(const Line& line) const {
  std::size_t looks = 0;
  for (Place* const place : line) {
    if (!place->busy_.load(std::memory_order_relaxed)) return place;
    if (++looks == kLooks) break;
  }
  return nullptr;
}

ConnectionPlace* ConnectionTable::longest_unused(Line& line) {
  const std::size_t looks = std::min(line.size(), kLooks);
  for (std::size_t i = 0; i < looks; ++i) {
    Place& first = *line.front();
    const bool busy = first.busy_.load(std::memory_order_relaxed);
    if (!busy && first.used_.load(std::memory_order_relaxed) <= first.seen_) return &first;
    touch(first);
  }
  // All have been used; one that is not busy will do.
  if (line.empty() || line.front()->busy_.load(std::memory_order_relaxed)) return nullptr;
  return line.front();
}

void ConnectionTable::touch(Place& place) {
  place.seen_ = place.used_.load(std::memory_order_relaxed);
  Line& line = line_of(place.standing());
  line.splice(line.end(), line, place.in_line_);
  if (!has_share(place.standing())) return;
  auto& lists = place.share_->second;
  Line& share = place.standing() == Standing::stranger ? lists.strangers : lists.reserve;
  share.splice(share.end(), share, place.in_share_);
}

void ConnectionTable::put(Place& place, Standing standing) {
  place.standing_.store(standing, std::memory_order_relaxed);
  place.seen_ = place.used_.load(std::memory_order_relaxed);
  Line& line = line_of(standing);
  place.in_line_ = line.insert(line.end(), &place);
  if (!has_share(standing)) return;
  auto& lists = place.share_->second;
  Line& share = standing == Standing::stranger ? lists.strangers : lists.reserve;
  place.in_share_ = share.insert(share.end(), &place);
}

void ConnectionTable::take_out(Place& place) {
  const Standing standing = place.standing();
  line_of(standing).erase(place.in_line_);
  if (!has_share(standing)) return;
  auto& lists = place.share_->second;
  (standing == Standing::stranger ? lists.strangers : lists.reserve).erase(place.in_share_);
  if (lists.strangers.empty() && lists.reserve.empty()) shares_.erase(place.share_);
}

void ConnectionTable::drop(Place& place, std::string_view why) {
  take_out(place);
  place.standing_.store(Standing::going, std::memory_order_relaxed);
  ++closing_;
  place.close_();
  if (told_) told_(why);
}

ConnectionTable::Line& ConnectionTable::line_of(Standing standing) {
  if (standing == Standing::client) return clients_;
  return standing == Standing::stranger ? strangers_ : reserve_;
}

}  // namespace infra::net
