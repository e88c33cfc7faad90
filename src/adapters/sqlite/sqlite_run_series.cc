#include "adapters/sqlite/sqlite_run_series.h"

#include <string_view>

namespace infra {
namespace {

using sqlite::Connection;

constexpr std::string_view kGet = "SELECT sums FROM run_minutes WHERE function_id=? AND minute=?";
constexpr std::string_view kPut =
    "INSERT INTO run_minutes(function_id, minute, sums) VALUES(?,?,?) ON CONFLICT DO UPDATE SET sums=excluded.sums";
constexpr std::string_view kRead =
    "SELECT minute, sums FROM run_minutes WHERE function_id=? AND minute>=? AND minute<? ORDER BY minute";
constexpr std::string_view kSweep =
    "DELETE FROM run_minutes WHERE (function_id, minute) IN "
    "(SELECT function_id, minute FROM run_minutes WHERE minute<=? ORDER BY minute LIMIT ?)";

std::int64_t column_of(Minute minute) {
  return std::chrono::duration_cast<milliseconds>(minute.time_since_epoch()).count();
}

}  // namespace

Result<void> add_to_series(Connection& connection, const LogRow& row) {
  const auto minute = minute_of(row);
  if (!minute) return {};
  RunSums sums;
  {
    auto statement = connection.prepare(kGet);
    const auto found = statement.bind(row.function_id.value).bind(column_of(*minute)).step();
    if (!found) return fail(found.error());
    if (*found) sums = parse_run_sums(statement.text(0)).value_or(RunSums{});
  }
  sums.add(row);
  const std::string text = to_text(sums);
  return connection.prepare(kPut).bind(row.function_id.value).bind(column_of(*minute)).bind(text).run();
}

Task<Result<std::vector<RunSums>>> SqliteRunSeries::read(const SeriesQuery& query) {
  co_return co_await database_.read<std::vector<RunSums>>(
      [query](Connection& connection) -> Result<std::vector<RunSums>> {
        StepSums steps(query);
        auto statement = connection.prepare(kRead);
        statement.bind(query.function_id.value).bind(column_of(steps.from())).bind(column_of(steps.to()));
        while (true) {
          const auto row = statement.step();
          if (!row) return fail(row.error());
          if (!*row) return steps.take();
          const auto sums = parse_run_sums(statement.text(1));
          const Minute minute{std::chrono::duration_cast<std::chrono::minutes>(milliseconds{statement.integer(0)})};
          if (sums) steps.add(minute, *sums);
        }
      });
}

Task<Result<void>> SqliteRunSeries::sweep(WallTime now) {
  co_return co_await database_.sweep(kSweep, now - kSeriesRetention);
}

}  // namespace infra
