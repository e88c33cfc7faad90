#include "app/settle_in_steps.h"

#include <utility>

#include "core/limits.h"

namespace infra::app {

Task<Result<bool>> SettleInSteps::put(const Delivery& delivery, SharedResult result, std::optional<LogRow> row) {
  if (auto told = co_await results_.publish(delivery.job, result); !told) co_return fail(told.error());
  if (row && delivery.receives > 1) {
    auto standing = co_await standing_row(delivery.job, std::move(*row));
    if (!standing) co_return fail(standing.error());
    row = std::move(*standing);
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

// An earlier start may have told its result, and died before its row was put: then that is what came of the run, also
// where a later start failed, or there was none any more.
Task<Result<LogRow>> SettleInSteps::standing_row(const Job& job, LogRow own) {
  const auto told = co_await results_.find(job.request_id);
  if (!told && told.error().kind != ErrorKind::not_found) co_return fail(told.error());
  if (!told || !told->finished()) co_return own;
  const auto standing = parse_job_result(told->json);
  own.output_attempt = standing ? std::optional(0) : std::nullopt;
  if (!standing || standing->function_id != job.function_id || standing->request_id != job.request_id) co_return own;
  LogRow row = make_log_row(*standing, job.accepted_at, job.accepted_at);
  row.expires_at = own.expires_at;
  co_return row;
}

}  // namespace infra::app
