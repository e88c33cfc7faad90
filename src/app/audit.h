// The audit: who changed what, and which uses of a key were refused. A change's entry is written before the change, and
// again after it with what came of it; one that stays "begun" is of a program that was cut off in between.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/lru.h"
#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/configuration_store.h"
#include "ports/executor.h"

namespace infra::app {

struct AuditEntry {
  WallTime at{};
  std::string key;        // "master", or a key's id
  std::string action;     // "function.update"; of a refused use "refused" and the route
  std::string target{};   // an id; empty: there is none
  std::string before{};   // JSON without secrets; empty: there was nothing, or it is not known
  std::string after{};    // the same
  std::string request{};  // its id
  std::string outcome{};  // "begun", "done", or an error's code
};

struct AuditPage {
  std::vector<AuditEntry> entries;  // newest first
  std::string next;                 // empty: this was the last page; else the next one's `after`
};

// Any event thread.
class Audit {
 public:
  static constexpr std::size_t kMaxState = 16 * 1024;  // bytes of `before` and of `after`; a larger one is left out
  static constexpr std::size_t kRemembered = 10'000;   // refusals

  // `store` may be null, or not exist: then nothing is written, and list() fails with `not_set_up` (code
  // configuration_absent).
  Audit(ConfigurationStore* store, Executor& executor, const Clock& clock)
      : store_(store), executor_(executor), clock_(clock) {}

  [[nodiscard]] bool possible() const { return store_ != nullptr && store_->exists(); }

  // Before the change, which must not be made if this fails: `at` and `outcome` are filled in.
  Task<Result<void>> begin(AuditEntry& entry);
  // After it. What fails is only logged: the entry stays "begun".
  Task<void> end(AuditEntry entry);
  // In place of end(), where the key was refused after all: that is refused()'s to tell.
  Task<void> withdraw(AuditEntry entry);
  // At most one a key, address and minute is written, beside the request.
  void refused(AuditEntry entry, const std::string& address);

  // Entries behind `after` (empty: from the newest), 1 to 1000 at a time.
  Task<Result<AuditPage>> list(std::string after, int limit);

 private:
  Task<void> write_refusal(ConfigurationItem item);

  ConfigurationStore* const store_;
  Executor& executor_;
  const Clock& clock_;
  Mutex mutex_;
  Lru<std::string, bool> refusals_ INFRA_GUARDED_BY(mutex_){kRemembered};
};

}  // namespace infra::app
