// Tells an observer of what functions have become: of all whose instances are to wait for calls when the program
// starts, and of each that a controller elsewhere has changed.
#pragma once

#include <atomic>
#include <set>

#include "core/mutex.h"
#include "ports/function_observer.h"
#include "ports/function_store.h"

namespace infra::app {

// Any event thread.
class WatchFunctions {
 public:
  // Referenced objects must outlive every coroutine of this.
  WatchFunctions(FunctionStore& functions, FunctionObserver& observer, const std::atomic<bool>& stopping)
      : functions_(functions), observer_(observer), stopping_(stopping) {}

  // Of every function with a keepWarm, and of those that no longer have one. If the table can't be read, look_again()
  // does it later.
  Task<void> tell_of_all();

  // Of one that may be new, changed or gone. If its row can't be read it counts as gone, and is looked at again.
  Task<void> tell_of(FunctionId changed);

  // To be called from time to time: announcements can be lost, and the reference platform's controllers make none.
  Task<void> look_again();

 private:
  Task<bool> look_at(FunctionId id);
  [[nodiscard]] std::set<FunctionId> kept() const;
  void note(const FunctionId& id, bool kept);

  FunctionStore& functions_;
  FunctionObserver& observer_;
  const std::atomic<bool>& stopping_;
  std::atomic<bool> complete_ = false;  // the table was read whole
  std::atomic<bool> warned_ = false;    // that it could not be read

  mutable Mutex mutex_;
  std::set<FunctionId> kept_ INFRA_GUARDED_BY(mutex_);  // whose rows are looked at again
};

}  // namespace infra::app
