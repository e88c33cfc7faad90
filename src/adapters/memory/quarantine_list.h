// The versions in quarantine, as a program knows them by heart.
#pragma once

#include <atomic>
#include <map>
#include <optional>

#include "core/code_version.h"
#include "core/mutex.h"
#include "core/time.h"

namespace infra {

// Any thread. Until the first quarantine an answer takes no lock.
class QuarantineList {
 public:
  [[nodiscard]] std::optional<milliseconds> remaining(const FunctionId& function, const CodeRef& code,
                                                      SteadyTime now) const;
  void add(const CodeVersion& version, SteadyTime until);
  // Forgets what is not in `now`.
  void replace(std::map<CodeVersion, SteadyTime> now);

 private:
  mutable Mutex mutex_;
  std::map<CodeVersion, SteadyTime> until_ INFRA_GUARDED_BY(mutex_);
  std::atomic<bool> empty_ = true;
};

}  // namespace infra
