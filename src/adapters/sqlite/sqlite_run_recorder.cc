#include "adapters/sqlite/sqlite_run_recorder.h"

#include <string_view>

#include "adapters/sqlite/row_codec.h"
#include "adapters/sqlite/sqlite_run_series.h"

namespace infra {
namespace {

using sqlite::Connection;

constexpr std::string_view kInsert =
    "INSERT INTO logs(function_id, timestamp, request_id, status, duration_ms, handler_ms, memory_mb, expires_at, "
    "peak_memory_bytes, cpu_usage_us, cold_start, error_code, message, output_attempt, trace_id) "
    "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) "
    "ON CONFLICT DO NOTHING";
constexpr std::string_view kCount =
    "UPDATE function_counters SET invocations=invocations+1, total_duration_ms=total_duration_ms+?, "
    "handler_invocations=handler_invocations+?, total_handler_ms=total_handler_ms+? WHERE function_id=?";

// True if it was not there.
Result<bool> insert_row(Connection& connection, const LogRow& row) {
  auto statement = connection.prepare(kInsert);
  statement.bind(row.function_id.value).bind(row.timestamp).bind(row.request_id.value);
  statement.bind(static_cast<int>(row.status)).bind(row.duration_ms).bind(row.handler_ms);
  statement.bind(row.allocated_memory_mb.value_or(0));
  statement.bind(to_column(row.expires_at));
  if (row.profile) {
    statement.bind(row.profile->peak_memory_bytes)
        .bind(row.profile->cpu_usage_us)
        .bind(row.profile->cold_start ? 1 : 0);
  } else {
    for (int i = 0; i < 3; ++i) statement.bind(std::optional<double>());
  }
  statement.bind(row.error_code).bind(row.message).bind(row.output_attempt).bind(row.trace_id);
  if (auto done = statement.run(); !done) return fail(done.error());
  return connection.changes() > 0;
}

Result<void> add_to_counters(Connection& connection, const LogRow& row) {
  auto statement = connection.prepare(kCount);
  statement.bind(row.duration_ms).bind(row.handler_ms ? 1 : 0).bind(row.handler_ms.value_or(0));
  return statement.bind(row.function_id.value).run();
}

}  // namespace

Result<bool> put_run(Connection& connection, const LogRow& row) {
  auto put = insert_row(connection, row);
  if (!put || !*put) return put;
  if (auto counted = add_to_counters(connection, row); !counted) return fail(counted.error());
  if (auto summed = add_to_series(connection, row); !summed) return fail(summed.error());
  return true;
}

Database::Write SqliteRunRecorder::writing(std::shared_ptr<const LogRow> row, std::shared_ptr<bool> won) const {
  return {.apply = [row, won](Connection& connection) -> Result<void> {
            const auto put = put_run(connection, *row);
            if (!put) return fail(put.error());
            *won = *put;
            return {};
          },
          .settled =
              [row, won, cache = cache_, &written = database_.written()](const Result<void>& outcome) {
                if (!outcome || !*won) return;
                cache->count(*row);
                written.add(row->function_id.value, row->message.size());
              },
          .bytes = row->message.size()};
}

Task<Result<bool>> SqliteRunRecorder::record(const LogRow& row) {
  auto won = std::make_shared<bool>(false);
  const Database::Write write = writing(std::make_shared<const LogRow>(row), won);
  // The run's waiter has been told.
  const auto written = co_await database_.write<void>(write.apply, write.settled, Database::Haste::none);
  if (!written) co_return fail(written.error());
  co_return *won;
}

}  // namespace infra
