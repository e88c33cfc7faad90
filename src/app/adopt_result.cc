#include "app/adopt_result.h"

#include <utility>

namespace infra::app {

Task<Result<void>> AdoptResult::adopt(JobResult result) {
  if (result.function_id.empty() || is_foreign(result.request_id)) co_return Result<void>{};
  const WallTime now = clock_.now();
  const WallTime accepted_at = uuid_v7_time(result.request_id.value).value_or(now);
  const auto recorded = co_await recorder_.record(make_log_row(result, accepted_at, now));
  if (!recorded) co_return fail(recorded.error());
  co_return Result<void>{};
}

}  // namespace infra::app
