// The last runs that this program settled, by function, for the advice that results carry: reading the log for each
// would cost more than many a run.
#pragma once

#include <cstddef>
#include <vector>

#include "core/job.h"
#include "core/lru.h"
#include "core/memory_advice.h"
#include "core/mutex.h"

namespace infra::app {

// Any thread. Holds the functions that ran last, and of each some runs of the code and memory that it had last.
class RecentRuns {
 public:
  explicit RecentRuns(std::size_t max_functions = 1000) : by_function_(max_functions) {}

  // Notes the run, once however often it is settled, and fills in what its function's noted runs advise: the memory
  // that it should have, and if that is another than it has, why.
  void take_in(const Job& job, JobResult& result);

 private:
  struct Run {
    std::size_t id = 0;  // a hash of the request's
    RunSample sample;
  };
  struct Runs {
    std::string code_key;
    int memory_mb = 0;
    std::vector<Run> runs;
    std::size_t oldest = 0;  // of `runs`, once they are as many as are kept
    [[nodiscard]] bool are_of(const Job& job) const { return code_key == job.code.key && memory_mb == job.memory_mb; }
    void note(const Run& run);
    [[nodiscard]] std::vector<RunSample> samples() const;
  };
  void note(const Job& job, const Run& run) INFRA_REQUIRES(mutex_);
  [[nodiscard]] std::vector<RunSample> samples_for(const Job& job) INFRA_REQUIRES(mutex_);

  Mutex mutex_;
  Lru<FunctionId, Runs> by_function_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra::app
