#include "adapters/sqlite/sqlite_run_recorder.h"

#include <string_view>

#include "adapters/sqlite/row_codec.h"

namespace infra {
namespace {

using sqlite::Connection;

constexpr std::string_view kInsert =
    "INSERT INTO logs(function_id, timestamp, request_id, status, duration_ms, handler_ms, memory_mb, expires_at, "
    "peak_memory_bytes, cpu_usage_us, cold_start, error_code, message) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?) "
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
  if (auto done = statement.bind(row.error_code).bind(row.message).run(); !done) return fail(done.error());
  return connection.changes() > 0;
}

Result<void> add_to_counters(Connection& connection, const LogRow& row) {
  auto statement = connection.prepare(kCount);
  statement.bind(row.duration_ms).bind(row.handler_ms ? 1 : 0).bind(row.handler_ms.value_or(0));
  return statement.bind(row.function_id.value).run();
}

}  // namespace

Task<Result<bool>> SqliteRunRecorder::record(const LogRow& row) {
  const auto shared = std::make_shared<const LogRow>(row);
  co_return co_await database_.write<bool>(
      [shared](Connection& connection) -> Result<bool> {
        auto put = insert_row(connection, *shared);
        if (!put || !*put) return put;
        // An error undoes the row as well.
        if (auto counted = add_to_counters(connection, *shared); !counted) return fail(counted.error());
        return true;
      },
      [shared, cache = cache_, &written = database_.written()](const Result<bool>& put) {
        if (!put || !*put) return;
        cache->count(*shared);
        written.add(shared->function_id.value, shared->message.size());
      },
      Database::Haste::none);  // the run's waiter has been told
}

}  // namespace infra
