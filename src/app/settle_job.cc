#include "app/settle_job.h"

namespace infra::app {
namespace {

// Not a reference controller's job, which that one records, nor one of a message that did not say whose function it is.
bool is_recorded(const Job& job) {
  return !is_foreign(job.request_id) && !job.function_id.empty();
}

}  // namespace

Task<Result<bool>> SettleJob::is_settled(const Job& job) {
  if (!is_recorded(job)) co_return co_await has_result(job.request_id);
  const auto row = co_await logs_.find(job.function_id, job.request_id);
  if (row) co_return true;
  if (row.error().kind == ErrorKind::not_found) co_return false;
  co_return fail(row.error());
}

void SettleJob::complete(const Job& job, JobResult& result) {
  recent_runs_.take_in(job, result);
}

Task<Result<void>> SettleJob::settle(const Delivery& delivery, SharedResult shared) {
  events_.run_finished(*shared);  // before the waiter is told, which may ask for it at once
  // The row decides who counts: of two workers with one job, the one whose row was put.
  std::optional<LogRow> row;
  if (is_recorded(delivery.job)) row = make_log_row(*shared, delivery.job.accepted_at, clock_.now());
  const auto won = co_await store_.put(delivery, shared, std::move(row));
  if (!won) co_return fail(won.error());
  if (*won && metrics_ != nullptr)
    metrics_->run(shared->function_id, shared->status, shared->duration_ms, shared->handler_ms);
  co_return Result<void>{};
}

// No row of ours says what came of it.
Task<Result<bool>> SettleJob::has_result(const RequestId& id) {
  const auto stored = co_await results_.find(id);
  if (stored) co_return stored->finished();
  if (stored.error().kind == ErrorKind::not_found) co_return false;
  co_return fail(stored.error());
}

}  // namespace infra::app
