// A settlement on engines that have no transaction in common: result, row, message, in this order.
#pragma once

#include "ports/run_recorder.h"
#include "ports/settlement_store.h"

namespace infra::app {

class SettleInSteps final : public SettlementStore {
 public:
  SettleInSteps(ResultBus& results, RunRecorder& recorder, JobQueue& queue)
      : results_(results), recorder_(recorder), queue_(queue) {}

  Task<Result<bool>> put(const Delivery& delivery, SharedResult result, std::optional<LogRow> row) override;

 private:
  // Of the result that was told, if another start's stands; else as it is.
  Task<Result<LogRow>> standing_row(const Job& job, LogRow own);

  ResultBus& results_;
  RunRecorder& recorder_;
  JobQueue& queue_;
};

}  // namespace infra::app
