// Settling: what came of a job is told, kept, logged and counted once, and only then does its message go. A job that a
// reference platform's controller accepted is told and kept; that controller logs and counts it. Results carry what the
// function's recent runs advise.
#pragma once

#include "app/recent_runs.h"
#include "ports/clock.h"
#include "ports/log_store.h"
#include "ports/result_bus.h"
#include "ports/run_recorder.h"
#include "ports/settlement.h"
#include "telemetry/event_ring.h"
#include "telemetry/metrics.h"

namespace infra::app {

class SettleJob : public Settlement {
 public:
  // `metrics` count the settlement that won, after its row is written. Null: another program does, which hears of it.
  SettleJob(ResultBus& results, RunRecorder& recorder, LogStore& logs, JobQueue& queue, const Clock& clock,
            EventRing& events, Metrics* metrics)
      : results_(results),
        recorder_(recorder),
        logs_(logs),
        queue_(queue),
        clock_(clock),
        events_(events),
        metrics_(metrics) {}

  Task<Result<bool>> is_settled(const Job& job) override;
  Task<Result<void>> settle(const Delivery& delivery, JobResult result) override;

 private:
  Task<Result<bool>> has_result(const RequestId& id);
  Task<Result<void>> finish_message(const Delivery& delivery, const JobResult& result);

  ResultBus& results_;
  RunRecorder& recorder_;
  LogStore& logs_;
  JobQueue& queue_;
  const Clock& clock_;
  EventRing& events_;
  Metrics* const metrics_;
  RecentRuns recent_runs_;
};

}  // namespace infra::app
