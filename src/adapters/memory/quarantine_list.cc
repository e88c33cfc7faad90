#include "adapters/memory/quarantine_list.h"

#include <utility>

namespace infra {

std::optional<milliseconds> QuarantineList::remaining(const FunctionId& function, const CodeRef& code,
                                                      SteadyTime now) const {
  if (empty_) return std::nullopt;
  const MutexLock lock(mutex_);
  const auto found = until_.find(version_of(function, code));
  if (found == until_.end() || found->second <= now) return std::nullopt;
  return std::chrono::ceil<milliseconds>(found->second - now);
}

void QuarantineList::add(const CodeVersion& version, SteadyTime until) {
  const MutexLock lock(mutex_);
  until_.insert_or_assign(version, until);
  empty_ = false;
}

void QuarantineList::replace(std::map<CodeVersion, SteadyTime> now) {
  const MutexLock lock(mutex_);
  until_ = std::move(now);
  empty_ = until_.empty();
}

}  // namespace infra
