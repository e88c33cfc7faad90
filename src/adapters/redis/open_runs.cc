#include "adapters/redis/open_runs.h"

#include <algorithm>
#include <utility>

namespace infra {
namespace {

constexpr std::size_t kMaxRemembered = 100'000;
constexpr std::chrono::hours kForgotten{14 * 24};  // no queue keeps a job for longer
constexpr std::ptrdiff_t kReadsAtATime = 2000;     // every interval

}  // namespace

void OpenRuns::add(const RequestId& id, bool waited_for, SteadyTime now) {
  const MutexLock lock(mutex_);
  if (!waited_for && entries_.size() >= kMaxRemembered && !entries_.contains(id)) return;
  Entry& entry = entries_[id];
  entry.waited_for = waited_for;
  entry.looked_at = entry.since = now;
}

void OpenRuns::note_sent(const RequestId& id, const AcceptedRun& run) {
  const MutexLock lock(mutex_);
  if (const auto found = entries_.find(id); found != entries_.end()) found->second.run = run;
}

bool OpenRuns::take(const RequestId& id) {
  const MutexLock lock(mutex_);
  return entries_.erase(id) > 0;
}

std::optional<AcceptedRun> OpenRuns::find(const RequestId& id) const {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return found->second.run;
}

bool OpenRuns::is_marked(const RequestId& id) const {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(id);
  return found != entries_.end() && !found->second.waited_for;
}

std::vector<RequestId> OpenRuns::due(bool after_loss, milliseconds interval, SteadyTime now) {
  const MutexLock lock(mutex_);
  std::erase_if(entries_, [now](const auto& entry) { return now - entry.second.since > kForgotten; });
  std::vector<std::pair<SteadyTime, RequestId>> waiting;
  for (const auto& [id, entry] : entries_) {
    if (after_loss || now - entry.looked_at >= interval) waiting.emplace_back(entry.looked_at, id);
  }
  if (!after_loss && waiting.size() > kReadsAtATime) {
    std::ranges::nth_element(waiting, waiting.begin() + kReadsAtATime);
    waiting.resize(kReadsAtATime);
  }
  std::vector<RequestId> ids;
  for (auto& [looked_at, id] : waiting) {
    entries_[id].looked_at = now;
    ids.push_back(std::move(id));
  }
  return ids;
}

}  // namespace infra
