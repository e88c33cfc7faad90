// The messages of jobs that were lost with a worker, from their receiving until this worker's one slot for such jobs is
// free: in order, without a lease or a start that counts, and only for as long as nobody else receives them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.h"
#include "core/time.h"
#include "ports/job_queue.h"

namespace infra {

// One thread at a time.
class WaitingSuspects {
 public:
  static constexpr std::size_t kMost = 64;
  static constexpr std::uint64_t kMostBytes = 64 * limits::kMiB;
  // Once the slot is taken for so long, another worker's may be free sooner.
  static constexpr milliseconds kPatience{5'000};
  // A message waits for its visibility less this: received a while before it came here, perhaps, and on its way
  // elsewhere as soon as it is over.
  static constexpr milliseconds kMargin{5'000};
  static constexpr milliseconds kShortestPause{1'000};

  struct Waiting {
    Delivery delivery;
    SteadyTime received;
  };

  // Until then nobody may wait: a worker that is killed again and again would keep them from the others.
  void open() { open_ = true; }

  // Nullopt: it may wait here. Else how long it is to be put off, for this worker or another: as long as the slot has
  // been taken, because most are short and a long one is not to be asked after every second.
  [[nodiscard]] std::optional<milliseconds> pause_for(const Delivery& delivery, SteadyTime now);
  void add(Waiting suspect);

  // The oldest that is still this worker's, for the slot: it is taken until free_slot().
  [[nodiscard]] std::optional<Waiting> take(SteadyTime now);
  void free_slot() { in_slot_.clear(); }
  [[nodiscard]] bool is_in_slot(const std::string& receipt) const { return in_slot_ == receipt; }

  // The receipts of those that are still this worker's. None waits any more.
  [[nodiscard]] std::vector<std::string> take_all(SteadyTime now);

  [[nodiscard]] bool any(SteadyTime now);
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }

 private:
  void drop_visible(SteadyTime now);
  Waiting pop();

  bool open_ = false;
  std::deque<Waiting> waiting_;  // by the time of their receiving
  std::uint64_t bytes_ = 0;
  std::string in_slot_;  // its receipt; empty: the slot is free
  SteadyTime in_slot_since_;
};

}  // namespace infra
