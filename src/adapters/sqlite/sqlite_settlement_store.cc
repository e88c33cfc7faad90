#include "adapters/sqlite/sqlite_settlement_store.h"

#include <memory>
#include <utility>
#include <vector>

#include "core/limits.h"

namespace infra {

Task<Result<bool>> SqliteSettlementStore::put(const Delivery& delivery, SharedResult result,
                                              std::optional<LogRow> row) {
  const bool given_up = delivery.receives > limits::kMaxReceives;
  const auto won = std::make_shared<bool>(false);
  auto parts = std::make_shared<std::vector<Database::Write>>();
  parts->push_back(co_await results_.tell(delivery.job, result));
  if (row) parts->push_back(recorder_.writing(std::make_shared<const LogRow>(std::move(*row)), won));
  if (auto ending = queue_.ending(delivery.receipt, given_up ? std::optional(result->error_message) : std::nullopt)) {
    parts->push_back(std::move(*ending));
  }
  std::size_t bytes = 0;
  for (const auto& part : *parts) bytes += part.bytes;
  co_await database_.wait_for_room();
  const auto written = co_await database_.write<void>(
      [parts](sqlite::Connection& connection) -> Result<void> {
        for (const auto& part : *parts) {
          if (auto applied = part.apply(connection); !applied) return applied;
        }
        return {};
      },
      [parts](const Result<void>& outcome) {
        for (const auto& part : *parts) part.settled(outcome);
      },
      Database::Haste::none, bytes);
  if (!written) co_return fail(written.error());
  co_return *won;
}

}  // namespace infra
