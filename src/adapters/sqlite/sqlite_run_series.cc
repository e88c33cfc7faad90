#include "adapters/sqlite/sqlite_run_series.h"

#include <string_view>

namespace infra {
namespace {

using sqlite::Connection;
using std::chrono::minutes;

constexpr std::string_view kGet = "SELECT sums FROM run_sums WHERE function_id=? AND span=? AND begin=?";
constexpr std::string_view kPut =
    "INSERT INTO run_sums(function_id, span, begin, sums) VALUES(?,?,?,?) "
    "ON CONFLICT DO UPDATE SET sums=excluded.sums";
constexpr std::string_view kRead =
    "SELECT begin, sums FROM run_sums WHERE function_id=? AND span=? AND begin>=? AND begin<? ORDER BY begin";
constexpr std::string_view kSweep =
    "DELETE FROM run_sums WHERE (function_id, span, begin) IN "
    "(SELECT function_id, span, begin FROM run_sums WHERE begin<=? ORDER BY begin LIMIT ?)";

constexpr minutes kMinute{1};
constexpr minutes kHour{60};

std::int64_t column_of(Minute minute) {
  return std::chrono::duration_cast<milliseconds>(minute.time_since_epoch()).count();
}

Minute begin_of(Minute minute, minutes span) {
  return minute - minute.time_since_epoch() % span;
}

Result<void> add_to_span(Connection& connection, const LogRow& row, Minute minute, minutes span) {
  const std::int64_t begin = column_of(begin_of(minute, span));
  RunSums sums;
  {
    auto statement = connection.prepare(kGet);
    const auto found = statement.bind(row.function_id.value).bind(span.count()).bind(begin).step();
    if (!found) return fail(found.error());
    if (*found) sums = parse_run_sums(statement.text(0)).value_or(RunSums{});
  }
  sums.add(row);
  const std::string text = to_text(sums);
  return connection.prepare(kPut).bind(row.function_id.value).bind(span.count()).bind(begin).bind(text).run();
}

}  // namespace

Result<void> add_to_series(Connection& connection, const LogRow& row) {
  const auto minute = minute_of(row);
  if (!minute) return {};
  for (const minutes span : {kMinute, kHour}) {
    if (auto added = add_to_span(connection, row, *minute, span); !added) return added;
  }
  return {};
}

Task<Result<std::vector<RunSums>>> SqliteRunSeries::read(const SeriesQuery& query) {
  const bool whole_hours = query.step % kHour == minutes{0} && query.from == begin_of(query.from, kHour);
  co_return co_await database_.read<std::vector<RunSums>>(
      [query, span = whole_hours ? kHour : kMinute](Connection& connection) -> Result<std::vector<RunSums>> {
        StepSums steps(query);
        auto statement = connection.prepare(kRead);
        statement.bind(query.function_id.value).bind(span.count());
        statement.bind(column_of(steps.from())).bind(column_of(steps.to()));
        while (true) {
          const auto row = statement.step();
          if (!row) return fail(row.error());
          if (!*row) return steps.take();
          const auto sums = parse_run_sums(statement.text(1));
          const Minute begin{std::chrono::duration_cast<minutes>(milliseconds{statement.integer(0)})};
          if (sums) steps.add(begin, *sums);
        }
      });
}

Task<Result<void>> SqliteRunSeries::sweep(WallTime now) {
  co_return co_await database_.sweep(kSweep, now - kSeriesRetention);
}

}  // namespace infra
