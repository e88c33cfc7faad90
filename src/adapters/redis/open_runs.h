// The runs that a controller accepted and has not heard of yet: whose results it looks for when announcements are lost,
// and from whom is filled in what a reference worker's result leaves out.
#pragma once

#include <cstddef>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/ids.h"
#include "core/mutex.h"
#include "core/time.h"

namespace infra {

struct AcceptedRun {
  FunctionId function;       // empty until its job was sent
  bool input_apart = false;  // its message names an object in place of its input
};

// Any thread. Bounded: of asynchronous runs the first 100,000 are known.
class OpenRuns {
 public:
  // `waited_for`: a client is connected; else it asks for the result later. What is known of the run stays.
  void add(const RequestId& id, bool waited_for, SteadyTime now);
  void note_sent(const RequestId& id, const AcceptedRun& run);
  void drop(const RequestId& id) { (void)take(id); }
  // True for the first who has this run's result.
  bool take(const RequestId& id);

  [[nodiscard]] std::optional<AcceptedRun> find(const RequestId& id) const;
  // Whether it was marked pending: it was accepted, and no connection waits for it.
  [[nodiscard]] bool is_marked(const RequestId& id) const;

  // The runs whose results are to be looked for, after a loss all; else those that were not looked at for `interval`,
  // the longest first, at most 2000.
  [[nodiscard]] std::vector<RequestId> due(bool after_loss, milliseconds interval, SteadyTime now);

 private:
  struct Entry {
    AcceptedRun run;
    bool waited_for = false;
    SteadyTime looked_at;
    SteadyTime since;
  };

  mutable Mutex mutex_;
  std::unordered_map<RequestId, Entry> entries_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra
