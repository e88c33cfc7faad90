// The jobs that wait for the suspects' slot: those that the program died of, perhaps, and with them all others of the
// same versions, oldest first.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "adapters/memory/queued_job.h"
#include "core/code_version.h"

namespace infra {

// One thread at a time.
class SuspectLine {
 public:
  // At the start, before any job takes its place: one more job of this version is a suspect.
  void accuse(const CodeVersion& version) { ++suspicion_of(version)->suspects; }
  // Null: the version is not suspected.
  [[nodiscard]] std::shared_ptr<Suspicion> find(const FunctionId& function, const CodeRef& code) const;
  // A version is suspected, and so is a job somewhere.
  [[nodiscard]] bool has_suspects() const { return !suspicions_.empty(); }

  // Whether the job is to wait here.
  [[nodiscard]] static bool takes(const QueuedJob& queued) {
    return queued.suspicion && queued.suspicion->suspects > 0;
  }
  void add(QueuedJob queued);
  [[nodiscard]] std::optional<QueuedJob> take_oldest();
  // Where it waits, or null.
  [[nodiscard]] const QueuedJob* find(std::int64_t seq) const;
  void erase(std::int64_t seq) { waiting_.erase(seq); }
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }

  // The job is gone for good. Gives the jobs that need wait here no longer, because it was the last suspect of theirs.
  [[nodiscard]] std::vector<QueuedJob> absolve(const QueuedJob& gone);
  // All sync jobs: nobody takes from here any more.
  [[nodiscard]] std::vector<QueuedJob> take_sync();

 private:
  [[nodiscard]] std::shared_ptr<Suspicion>& suspicion_of(const CodeVersion& version);
  template <typename Predicate>
  [[nodiscard]] std::vector<QueuedJob> take_all(Predicate wanted);

  std::map<CodeVersion, std::shared_ptr<Suspicion>> suspicions_;
  std::map<std::int64_t, QueuedJob> waiting_;
};

}  // namespace infra
