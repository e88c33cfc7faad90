// The last runs that this program settled, by function, for the advice that results carry: reading the log for each
// would cost more than many a run.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/job.h"
#include "core/memory_advice.h"

namespace infra::app {

// Any thread. Holds the functions that ran last, and of each some runs of the code and memory that it had last.
class RecentRuns {
 public:
  explicit RecentRuns(std::size_t max_functions = 1000) : max_functions_(max_functions) {}

  // Fills in the result's advice if its function's noted runs together with it make any.
  void advise(const Job& job, JobResult& result) const;
  void note(const Job& job, const JobResult& result);

 private:
  struct Runs {
    FunctionId function;
    std::string code_key;
    int memory_mb = 0;
    std::vector<RunSample> samples;
    std::size_t oldest = 0;  // of `samples`, once they are as many as are kept
    [[nodiscard]] bool are_of(const Job& job) const { return code_key == job.code.key && memory_mb == job.memory_mb; }
  };

  const std::size_t max_functions_;
  mutable std::mutex mutex_;
  std::list<Runs> by_use_;  // last used first
  std::unordered_map<FunctionId, std::list<Runs>::iterator> by_function_;
};

}  // namespace infra::app
