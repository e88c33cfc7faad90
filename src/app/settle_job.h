// Settling: what came of a job is told, kept, logged and counted once, and its message goes. A job that a reference
// platform's controller accepted is told and kept; that controller logs and counts it. Results carry what the
// function's recent runs advise.
#pragma once

#include "app/recent_runs.h"
#include "ports/clock.h"
#include "ports/log_store.h"
#include "ports/result_bus.h"
#include "ports/settlement.h"
#include "ports/settlement_store.h"
#include "telemetry/event_ring.h"
#include "telemetry/metrics.h"

namespace infra::app {

class SettleJob : public Settlement {
 public:
  // `metrics` count the settlement that won, after its row is written. Null: another program does, which hears of it.
  SettleJob(SettlementStore& store, ResultBus& results, LogStore& logs, const Clock& clock, EventRing& events,
            Metrics* metrics)
      : store_(store), results_(results), logs_(logs), clock_(clock), events_(events), metrics_(metrics) {}

  Task<Result<bool>> is_settled(const Job& job) override;
  void complete(const Job& job, JobResult& result) override;
  Task<Result<void>> settle(const Delivery& delivery, SharedResult result) override;

 private:
  Task<Result<bool>> has_result(const RequestId& id);

  SettlementStore& store_;
  ResultBus& results_;
  LogStore& logs_;
  const Clock& clock_;
  EventRing& events_;
  Metrics* const metrics_;
  RecentRuns recent_runs_;
};

}  // namespace infra::app
