// The result bus's memory of request ids: the waiter, whether it is pending, and its result while
// that is on its way to the disk. Sharded by id, so that event threads rarely meet.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/error.h"
#include "core/holding.h"
#include "core/ids.h"
#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/result_bus.h"

namespace infra {

// Any thread.
class WaitingRoom {
 public:
  // One request's place. Guarded by its shard's mutex.
  struct Seat {
    std::shared_ptr<Signal> signal;
    SharedResult result;
    bool abandoned = false;
  };
  struct Glimpse {
    SharedResult on_its_way;  // or null
    bool pending = false;
  };

  void take_seat(const RequestId& id, const std::shared_ptr<Seat>& seat);
  void leave_seat(const RequestId& id, const std::shared_ptr<Seat>& seat);
  // How the wait ended; nullopt: it goes on.
  [[nodiscard]] std::optional<Result<SharedResult>> outcome(const RequestId& id, const Seat& seat);

  // Tells those who wait, and shows the result to look() until settled() has been called as often as this. Gives the
  // result that holds: an earlier one of the same id, if that is still on its way.
  [[nodiscard]] SharedResult deliver(const RequestId& id, const SharedResult& result, WallTime expires_at);
  void settled(const RequestId& id);
  void abandon();

  void mark_pending(const RequestId& id, WallTime until);
  void forget(const RequestId& id);

  [[nodiscard]] Glimpse look(const RequestId& id, WallTime now);
  void sweep(WallTime now);
  void list_holdings(Holdings& into);

 private:
  static constexpr std::size_t kShards = 32;
  // Async jobs are also known by their row in the queue, so this mark only has to bridge the time until that is
  // committed.
  static constexpr std::size_t kMaxPendingPerShard = 4096;

  struct Flight {
    SharedResult result;
    WallTime expires_at;
    int writes = 0;
  };
  struct Shard {
    Mutex mutex;
    std::unordered_multimap<RequestId, std::shared_ptr<Seat>> seats INFRA_GUARDED_BY(mutex);
    std::unordered_map<RequestId, WallTime> pending INFRA_GUARDED_BY(mutex);  // until when
    std::unordered_map<RequestId, Flight> in_flight INFRA_GUARDED_BY(mutex);
  };
  [[nodiscard]] Shard& shard_of(const RequestId& id) { return shards_[std::hash<RequestId>{}(id) % kShards]; }

  std::array<Shard, kShards> shards_;
  std::atomic<bool> abandoned_ = false;
};

}  // namespace infra
