#include "adapters/sqlite/sqlite_log_store.h"

#include <algorithm>
#include <utility>

#include "adapters/sqlite/row_codec.h"
#include "core/error_codes.h"
#include "core/page_cursor.h"

namespace infra {
namespace {

using sqlite::Connection;
using sqlite::Statement;

constexpr std::string_view kFind = "SELECT * FROM logs WHERE request_id=? AND function_id=? AND expires_at>?";
// A listing shows the beginning of a message only: a page of 1000 whole ones could be 350 MB. Rows are cut to 1024
// characters.
constexpr std::string_view kList =
    "SELECT function_id, timestamp, request_id, status, duration_ms, handler_ms, memory_mb, expires_at, "
    "peak_memory_bytes, cpu_usage_us, cold_start, error_code, "
    "CASE WHEN ?1 AND (?2='' OR trace_id=?2) THEN substr(message, 1, 1024) ELSE '' END, "
    "CASE WHEN ?1 OR ?2<>'' THEN trace_id ELSE '' END "
    "FROM logs "
    "WHERE function_id=?3 AND timestamp>=?4 AND timestamp<?5 AND expires_at>?6 ORDER BY timestamp DESC LIMIT ?7";
constexpr std::string_view kSweep =
    "DELETE FROM logs WHERE rowid IN (SELECT rowid FROM logs WHERE expires_at<=? ORDER BY expires_at LIMIT ?)";

constexpr int kOutputAttempt = 13;  // columns of kFind
constexpr int kTraceId = 14;
constexpr int kListedTraceId = 13;

constexpr std::string_view kCursorKind = "logs";
constexpr std::string_view kAfterAll = "~";  // sorts behind every ISO 8601 time

// Columns in the order of the table. Its memory_mb is the limit that the run had, 0 if that is not known.
LogRow read_row(const Statement& row) {
  LogRow log;
  log.function_id = {row.text(0)};
  log.timestamp = row.text(1);
  log.request_id = {row.text(2)};
  log.status = from_number<RunStatus>(row.integer(3)).value_or(RunStatus::error);
  log.duration_ms = row.real(4);
  if (!row.is_null(5)) log.handler_ms = row.real(5);
  if (const auto limit = static_cast<int>(row.integer(6)); limit > 0) log.allocated_memory_mb = limit;
  log.expires_at = time_from_column(row.integer(7));
  if (!row.is_null(8)) {
    log.profile = {
        .peak_memory_bytes = row.integer(8), .cpu_usage_us = row.integer(9), .cold_start = row.integer(10) != 0};
    log.memory_mb = peak_memory_mb(log.profile->peak_memory_bytes);
  }
  log.error_code = row.text(11);
  log.message = row.text(12);
  return log;
}

struct Range {
  std::string from;    // inclusive
  std::string before;  // exclusive
};

Result<Range> read_range(const LogQuery& query) {
  Range range{.from = {}, .before = std::string(kAfterAll)};
  if (query.start) {
    range.from = to_iso8601(*query.start);
    range.from.pop_back();  // without its Z it sorts before the same millisecond with further digits
  }
  if (query.cursor.empty()) return range;
  auto key = read_cursor(kCursorKind, 1, query.cursor);
  if (!key) return fail(key.error());
  range.before = std::move(key->front());
  return range;
}

struct Wanted {
  std::string function;
  Range range;
  int limit = 1;
  bool messages = true;
  std::string trace{};
};

Result<LogPage> read_page(Connection& connection, const Wanted& wanted, WallTime now) {
  const auto& [function, range, limit, messages, trace] = wanted;
  const int looked_at = trace.empty() ? limit : kTraceRows;
  auto statement = connection.prepare(kList);
  statement.bind(messages ? 1 : 0)
      .bind(trace)
      .bind(function)
      .bind(range.from)
      .bind(range.before)
      .bind(to_column(now))
      .bind(looked_at + 1);
  LogPage page;
  std::string last;
  for (int rows = 0;; ++rows) {
    const auto row = statement.step();
    if (!row) return fail(row.error());
    if (!*row) return page;
    if (rows == looked_at || std::cmp_equal(page.rows.size(), limit)) {
      page.next_cursor = make_cursor(kCursorKind, {last});
      return page;
    }
    LogRow log = read_row(statement);
    log.trace_id = statement.text(kListedTraceId);
    last = log.timestamp;
    if (trace.empty() || log.trace_id == trace) page.rows.push_back(std::move(log));
  }
}

}  // namespace

Task<Result<LogPage>> SqliteLogStore::list(const LogQuery& query) {
  auto range = read_range(query);
  if (!range) co_return fail(range.error());
  Wanted wanted{.function = query.function_id.value,
                .range = std::move(*range),
                .limit = std::max(query.limit, 1),
                .messages = query.messages,
                .trace = query.trace_id};
  co_return co_await database_.read<LogPage>(
      [wanted = std::move(wanted), now = database_.clock().now()](Connection& connection) {
        return read_page(connection, wanted, now);
      });
}

Task<Result<LogRow>> SqliteLogStore::find(const FunctionId& function, const RequestId& request) {
  co_return co_await database_.read<LogRow>(
      [function, request, now = database_.clock().now()](Connection& connection) -> Result<LogRow> {
        auto statement = connection.prepare(kFind);
        const auto row = statement.bind(request.value).bind(function.value).bind(to_column(now)).step();
        if (!row) return fail(row.error());
        if (!*row) return fail(errors::log_not_found, "There is no log of this request, or it has expired.");
        LogRow log = read_row(statement);
        if (!statement.is_null(kOutputAttempt))
          log.output_attempt = static_cast<int>(statement.integer(kOutputAttempt));
        log.trace_id = statement.text(kTraceId);
        return log;
      });
}

Task<Result<void>> SqliteLogStore::sweep(WallTime now) {
  co_return co_await database_.sweep(kSweep, now);
}

}  // namespace infra
