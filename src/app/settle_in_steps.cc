#include "app/settle_in_steps.h"

#include "core/limits.h"

namespace infra::app {

Task<Result<bool>> SettleInSteps::put(const Delivery& delivery, SharedResult result, std::optional<LogRow> row) {
  if (auto told = co_await results_.publish(delivery.job, result); !told) co_return fail(told.error());
  Result<bool> won = false;
  if (row) won = co_await recorder_.record(*row);
  if (!won) co_return won;
  const bool given_up = delivery.receives > limits::kMaxReceives;
  const auto ended = given_up ? co_await queue_.bury(delivery.receipt, result->error_message)
                              : co_await queue_.acknowledge(delivery.receipt);
  if (!ended) co_return fail(ended.error());
  co_return won;
}

}  // namespace infra::app
