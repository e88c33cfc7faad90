#include "adapters/memory/suspect_line.h"

#include <utility>

namespace infra {

std::shared_ptr<Suspicion>& SuspectLine::suspicion_of(const CodeVersion& version) {
  auto& suspicion = suspicions_[version];
  if (!suspicion) suspicion = std::make_shared<Suspicion>();
  return suspicion;
}

std::shared_ptr<Suspicion> SuspectLine::find(const FunctionId& function, const CodeRef& code) const {
  if (suspicions_.empty()) return nullptr;
  const auto found = suspicions_.find(version_of(function, code));
  return found == suspicions_.end() ? nullptr : found->second;
}

void SuspectLine::add(QueuedJob queued) {
  const std::int64_t seq = queued.seq;
  waiting_.emplace(seq, std::move(queued));
}

std::optional<QueuedJob> SuspectLine::take_oldest() {
  if (waiting_.empty()) return std::nullopt;
  return std::move(waiting_.extract(waiting_.begin()).mapped());
}

const QueuedJob* SuspectLine::find(std::int64_t seq) const {
  const auto found = waiting_.find(seq);
  return found == waiting_.end() ? nullptr : &found->second;
}

template <typename Predicate>
std::vector<QueuedJob> SuspectLine::take_all(Predicate wanted) {
  std::vector<QueuedJob> taken;
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const auto one = next++;
    if (wanted(one->second)) taken.push_back(std::move(waiting_.extract(one).mapped()));
  }
  return taken;
}

std::vector<QueuedJob> SuspectLine::absolve(const QueuedJob& gone) {
  if (gone.strikes == 0 || !takes(gone) || --gone.suspicion->suspects > 0) return {};
  std::erase_if(suspicions_, [](const auto& entry) { return entry.second->suspects == 0; });
  return take_all([&](const QueuedJob& queued) { return queued.suspicion == gone.suspicion; });
}

std::vector<QueuedJob> SuspectLine::take_sync() {
  return take_all([](const QueuedJob& queued) { return queued.job != nullptr; });
}

}  // namespace infra
