#include "app/settle_in_steps.h"

#include "app/told_attempt.h"
#include "core/limits.h"

namespace infra::app {

Task<Result<bool>> SettleInSteps::put(const Delivery& delivery, SharedResult result, std::optional<LogRow> row) {
  if (auto told = co_await results_.publish(delivery.job, result); !told) co_return fail(told.error());
  if (row && delivery.receives > 1) {
    const auto attempt = co_await standing_attempt(delivery.job, row->output_attempt);
    if (!attempt) co_return fail(attempt.error());
    row->output_attempt = *attempt;
  }
  Result<bool> won = false;
  if (row) won = co_await recorder_.record(*row);
  if (!won) co_return won;
  const bool given_up = delivery.receives > limits::kMaxReceives;
  const auto ended = given_up ? co_await queue_.bury(delivery.receipt, result->error_message)
                              : co_await queue_.acknowledge(delivery.receipt);
  if (!ended) co_return fail(ended.error());
  co_return won;
}

// An earlier start may have told its result, and died before its row was put.
Task<Result<std::optional<int>>> SettleInSteps::standing_attempt(const Job& job, std::optional<int> own) {
  const auto told = co_await results_.find(job.request_id);
  if (!told && told.error().kind != ErrorKind::not_found) co_return fail(told.error());
  if (!told || !told->finished()) co_return own;
  co_return told_attempt(told->json, job.function_id, job.request_id);
}

}  // namespace infra::app
