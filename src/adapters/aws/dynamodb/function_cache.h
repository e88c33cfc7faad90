// The function rows that a controller knows, so that a run costs no read: as current as the reads of the table make
// them, and never overwritten by a read from before a change.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/function.h"
#include "core/lru.h"
#include "core/mutex.h"
#include "core/time.h"

namespace infra::aws {

using SharedFunction = std::shared_ptr<const Function>;

// Any thread.
class FunctionCache {
 public:
  static constexpr std::chrono::seconds kCurrent{2};       // a row is taken for current so long after its read began
  static constexpr std::chrono::seconds kRecent{60};       // used within it: worth reading again
  static constexpr std::chrono::minutes kKnown{10};        // older knowledge is none; neither is what is unused so long
  static constexpr std::size_t kDefaultCapacity = 10'000;  // rows; the longest unused go first

  explicit FunctionCache(std::size_t capacity = kDefaultCapacity) : slots_(capacity) {}

  struct Known {
    SharedFunction row;
    bool current = false;
  };
  // Counts as a use.
  [[nodiscard]] std::optional<Known> find(const FunctionId& id, SteadyTime now);

  // A read of the table on its way.
  struct Reading {
    FunctionId id;
    std::uint64_t order = 0;
    SteadyTime begun;
  };
  [[nodiscard]] Reading begin_read(const FunctionId& id, SteadyTime now);
  // Takes what was read, null for no row, unless a later read has been quicker. False, and nothing is taken, if the row
  // may have changed since the read began: read again.
  bool finish_read(const Reading& reading, SharedFunction row);

  // Begins a read of every row used lately, and forgets those that were not used for long.
  [[nodiscard]] std::vector<Reading> begin_refresh(SteadyTime now);

  // Forgets the row: it is known to be wrong.
  void changed(const FunctionId& id);
  // The row may be wrong: known still, and not current.
  void all_changed();

 private:
  // Reads and changes are numbered in one order.
  struct Slot {
    SharedFunction row{};       // null: only being read
    std::uint64_t changed = 0;  // the last change, or the making of this slot
    std::uint64_t read = 0;     // the read that `row` is from
    SteadyTime read_at{};       // when that began
    bool doubted = false;
    SteadyTime used{};
  };
  Slot& use_locked(const FunctionId& id, SteadyTime now) INFRA_REQUIRES(mutex_);

  Mutex mutex_;
  std::uint64_t order_ INFRA_GUARDED_BY(mutex_) = 0;
  Lru<FunctionId, Slot> slots_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra::aws
