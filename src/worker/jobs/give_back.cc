#include "worker/jobs/give_back.h"

#include "telemetry/log.h"

namespace infra::worker {

bool GiveBack::is_due_for(const Job& job) const {
  const Phase phase = lifecycle_.phase();
  return phase == Phase::stopping || (phase == Phase::draining && is_allowed_for(job));
}

Task<void> GiveBack::give_back(std::string receipt) {
  const auto given = co_await queue_.give_back(receipt);
  if (!given) log::warn("a job could not be given back; its lease runs out", {{"code", given.error().code}});
}

}  // namespace infra::worker
