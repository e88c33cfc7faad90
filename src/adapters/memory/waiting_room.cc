#include "adapters/memory/waiting_room.h"

#include <utility>

#include "core/error_codes.h"

namespace infra {

void WaitingRoom::take_seat(const RequestId& id, const std::shared_ptr<Seat>& seat) {
  Shard& shard = shard_of(id);
  const MutexLock lock(shard.mutex);
  seat->abandoned = abandoned_;
  shard.seats.emplace(id, seat);
}

void WaitingRoom::leave_seat(const RequestId& id, const std::shared_ptr<Seat>& seat) {
  Shard& shard = shard_of(id);
  const MutexLock lock(shard.mutex);
  const auto [first, last] = shard.seats.equal_range(id);
  for (auto it = first; it != last; ++it) {
    if (it->second != seat) continue;
    shard.seats.erase(it);
    return;
  }
}

std::optional<Result<SharedResult>> WaitingRoom::outcome(const RequestId& id, const Seat& seat) {
  const MutexLock lock(shard_of(id).mutex);
  if (seat.result) return seat.result;
  if (seat.abandoned) return fail(errors::shutting_down, "The program is stopping.");
  return std::nullopt;
}

SharedResult WaitingRoom::deliver(const RequestId& id, const SharedResult& result, WallTime expires_at) {
  Shard& shard = shard_of(id);
  const MutexLock lock(shard.mutex);
  Flight& flight = shard.in_flight.try_emplace(id, Flight{result, expires_at}).first->second;
  ++flight.writes;
  shard.pending.erase(id);
  const auto [first, last] = shard.seats.equal_range(id);
  for (auto it = first; it != last; ++it) {
    if (it->second->result) continue;
    it->second->result = flight.result;
    it->second->signal->notify();
  }
  return flight.result;
}

void WaitingRoom::abandon() {
  abandoned_ = true;
  for (Shard& shard : shards_) {
    const MutexLock lock(shard.mutex);
    for (const auto& [id, seat] : shard.seats) {
      seat->abandoned = true;
      seat->signal->notify();
    }
  }
}

void WaitingRoom::mark_pending(const RequestId& id, WallTime until) {
  Shard& shard = shard_of(id);
  const MutexLock lock(shard.mutex);
  if (shard.pending.size() < kMaxPendingPerShard && !shard.in_flight.contains(id)) shard.pending.try_emplace(id, until);
}

void WaitingRoom::forget(const RequestId& id) {
  Shard& shard = shard_of(id);
  const MutexLock lock(shard.mutex);
  shard.pending.erase(id);
}

void WaitingRoom::settled(const RequestId& id) {
  Shard& shard = shard_of(id);
  const MutexLock lock(shard.mutex);
  const auto flight = shard.in_flight.find(id);
  if (flight != shard.in_flight.end() && --flight->second.writes == 0) shard.in_flight.erase(flight);
}

WaitingRoom::Glimpse WaitingRoom::look(const RequestId& id, WallTime now) {
  Shard& shard = shard_of(id);
  const MutexLock lock(shard.mutex);
  Glimpse glimpse;
  const auto flight = shard.in_flight.find(id);
  if (flight != shard.in_flight.end() && flight->second.expires_at > now) glimpse.on_its_way = flight->second.result;
  const auto mark = shard.pending.find(id);
  glimpse.pending = shard.seats.contains(id) || (mark != shard.pending.end() && mark->second > now);
  return glimpse;
}

void WaitingRoom::sweep(WallTime now) {
  for (Shard& shard : shards_) {
    const MutexLock lock(shard.mutex);
    std::erase_if(shard.pending, [now](const auto& mark) { return mark.second <= now; });
  }
}

void WaitingRoom::list_holdings(Holdings& into) {
  std::uint64_t seats = 0, in_flight = 0;
  for (Shard& shard : shards_) {
    const MutexLock lock(shard.mutex);
    seats += shard.seats.size();
    in_flight += shard.in_flight.size();
  }
  into.push_back({"waiters for results", seats});
  into.push_back({"results on their way to the disk", in_flight});
}

}  // namespace infra
