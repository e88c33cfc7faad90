#include "adapters/sqlite/database_schema.h"

#include <fmt/format.h>

#include <array>

#include "core/error_codes.h"

namespace infra {
namespace {

// Times are milliseconds since 1970. Large columns come last, so that reading the others does not touch their overflow
// pages. Counters are a table of their own: they change with every run, and a function's row may hold 32 KiB of
// environment.
constexpr const char* kFirst = R"sql(
CREATE TABLE functions(
  id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, original_name TEXT NOT NULL, runtime INTEGER NOT NULL,
  memory_mb INTEGER NOT NULL, timeout_ms INTEGER NOT NULL, code_key TEXT NOT NULL, code_sha256 TEXT NOT NULL,
  version INTEGER NOT NULL, uploaded_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, description TEXT NOT NULL,
  env TEXT NOT NULL);
CREATE INDEX functions_by_age ON functions(uploaded_at, id);
CREATE INDEX functions_by_code ON functions(code_sha256);

CREATE TABLE function_counters(
  function_id TEXT NOT NULL PRIMARY KEY, invocations INTEGER NOT NULL DEFAULT 0, total_duration_ms REAL NOT NULL DEFAULT 0,
  handler_invocations INTEGER NOT NULL DEFAULT 0, total_handler_ms REAL NOT NULL DEFAULT 0) WITHOUT ROWID;

CREATE VIEW counted_functions AS
  SELECT f.id, name, description, original_name, runtime, memory_mb, timeout_ms, env, code_key, code_sha256, version,
    uploaded_at, updated_at, invocations, total_duration_ms, handler_invocations, total_handler_ms
  FROM functions f JOIN function_counters c ON c.function_id = f.id;

CREATE TABLE logs(
  function_id TEXT NOT NULL, timestamp TEXT NOT NULL, request_id TEXT NOT NULL, status INTEGER NOT NULL,
  duration_ms REAL NOT NULL, handler_ms REAL, memory_mb INTEGER NOT NULL, expires_at INTEGER NOT NULL, message TEXT NOT NULL);
CREATE UNIQUE INDEX logs_by_time ON logs(function_id, timestamp);
CREATE INDEX logs_by_request ON logs(request_id);
CREATE INDEX logs_by_expiry ON logs(expires_at);

CREATE TABLE jobs(
  seq INTEGER PRIMARY KEY, request_id TEXT NOT NULL UNIQUE, receives INTEGER NOT NULL, bytes INTEGER NOT NULL,
  dead_at INTEGER, reason TEXT, function_id TEXT NOT NULL, runtime INTEGER NOT NULL, memory_mb INTEGER NOT NULL,
  timeout_ms INTEGER NOT NULL, code_key TEXT NOT NULL, code_sha256 TEXT NOT NULL, mode INTEGER NOT NULL,
  model_id TEXT NOT NULL, reply_to TEXT NOT NULL, accepted_at INTEGER NOT NULL, traceparent TEXT NOT NULL,
  env TEXT NOT NULL, input TEXT NOT NULL);
CREATE INDEX jobs_by_code ON jobs(code_sha256) WHERE dead_at IS NULL;
CREATE INDEX jobs_dead ON jobs(dead_at) WHERE dead_at IS NOT NULL;

CREATE TABLE results(
  request_id TEXT NOT NULL PRIMARY KEY, expires_at INTEGER NOT NULL, value TEXT NOT NULL, result TEXT NOT NULL);
CREATE INDEX results_by_expiry ON results(expires_at);

CREATE TABLE write_check(id INTEGER PRIMARY KEY, writes INTEGER NOT NULL);

CREATE TABLE retired_code(position INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE);
)sql";

// What runs used. The table is written anew so that `message` stays its last column.
constexpr const char* kRunProfiles = R"sql(
ALTER TABLE logs RENAME TO plain_logs;
CREATE TABLE logs(
  function_id TEXT NOT NULL, timestamp TEXT NOT NULL, request_id TEXT NOT NULL, status INTEGER NOT NULL,
  duration_ms REAL NOT NULL, handler_ms REAL, memory_mb INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  peak_memory_bytes INTEGER, cpu_usage_us INTEGER, cold_start INTEGER, error_code TEXT NOT NULL, message TEXT NOT NULL);
INSERT INTO logs SELECT function_id, timestamp, request_id, status, duration_ms, handler_ms, memory_mb, expires_at,
  NULL, NULL, NULL, '', message FROM plain_logs;
DROP TABLE plain_logs;
CREATE UNIQUE INDEX logs_by_time ON logs(function_id, timestamp);
CREATE INDEX logs_by_request ON logs(request_id);
CREATE INDEX logs_by_expiry ON logs(expires_at);
)sql";

// A function's network, warm instances and limit of runs at once. They stand behind the large columns, which every
// reader of them reads as well.
constexpr const char* kFunctionSettings = R"sql(
DROP VIEW counted_functions;
ALTER TABLE functions ADD COLUMN network INTEGER NOT NULL DEFAULT 0;
ALTER TABLE functions ADD COLUMN keep_warm INTEGER NOT NULL DEFAULT 0;
ALTER TABLE functions ADD COLUMN max_concurrency INTEGER NOT NULL DEFAULT 0;
CREATE VIEW counted_functions AS
  SELECT f.id, name, description, original_name, runtime, memory_mb, timeout_ms, env, code_key, code_sha256, version,
    uploaded_at, updated_at, invocations, total_duration_ms, handler_invocations, total_handler_ms, network, keep_warm,
    max_concurrency
  FROM functions f JOIN function_counters c ON c.function_id = f.id;
ALTER TABLE jobs ADD COLUMN network INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN keep_warm INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN max_concurrency INTEGER NOT NULL DEFAULT 0;
)sql";

// Lives of the program, and what it had handed out when one of them broke off. A table of its own: a job's row may hold
// megabytes, which each change of a column would write anew. They may be there: who goes back to an older program steps
// user_version back alone.
constexpr const char* kStrikes = R"sql(
CREATE TABLE IF NOT EXISTS epochs(epoch INTEGER PRIMARY KEY, begun_at INTEGER NOT NULL, stopped_at INTEGER);
CREATE TABLE IF NOT EXISTS job_starts(seq INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, strikes INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS lost_runs(function_id TEXT NOT NULL, code TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS quarantines(
  function_id TEXT NOT NULL, code TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY(function_id, code)) WITHOUT ROWID;
)sql";

// Which start's output files are a run's. It stands behind the message, which only the reader of one whole row passes.
// It may be there, too.
constexpr const char* kOutputAttempt = "ALTER TABLE logs ADD COLUMN output_attempt INTEGER";
constexpr const char* kHasOutputAttempt = "SELECT count(*) FROM pragma_table_info('logs') WHERE name='output_attempt'";

// What is neither a function nor a run. `expires_at` is the largest number of items that stay. It may be there, too.
constexpr const char* kConfiguration = R"sql(
CREATE TABLE IF NOT EXISTS configuration(
  partition TEXT NOT NULL, sort TEXT NOT NULL, expires_at INTEGER NOT NULL, attributes TEXT NOT NULL,
  PRIMARY KEY(partition, sort)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS configuration_by_expiry ON configuration(expires_at);
)sql";

// The trace that a run is a part of. It stands behind the message, too, and may be there.
constexpr const char* kTraceId = "ALTER TABLE logs ADD COLUMN trace_id TEXT";
constexpr const char* kHasTraceId = "SELECT count(*) FROM pragma_table_info('logs') WHERE name='trace_id'";

// Sums of a function's runs (core/run_sums.h's text) by spans of so many minutes: 1, and 60 for what is told of weeks.
// It may be there, too.
constexpr const char* kRunSums = R"sql(
CREATE TABLE IF NOT EXISTS run_sums(
  function_id TEXT NOT NULL, span INTEGER NOT NULL, begin INTEGER NOT NULL, sums TEXT NOT NULL,
  PRIMARY KEY(function_id, span, begin)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS run_sums_by_time ON run_sums(begin);
)sql";

struct Step {
  const char* script;
  const char* is_done = nullptr;  // a query that gives 1 then; none: the script sees to it
};
constexpr std::array kSteps = {Step{kFirst},
                               Step{kRunProfiles},
                               Step{kFunctionSettings},
                               Step{kStrikes},
                               Step{kOutputAttempt, kHasOutputAttempt},
                               Step{kConfiguration},
                               Step{kTraceId, kHasTraceId},
                               Step{kRunSums}};

Result<void> take_steps(sqlite::Connection& connection) {
  const auto version = connection.query_integer("PRAGMA user_version");
  if (!version) return fail(version.error());
  const auto newest = static_cast<std::int64_t>(kSteps.size());
  if (*version < 0 || *version > newest) {
    return fail(errors::engine_unavailable,
                fmt::format("It was written by a newer version of Infra (schema {}, this program knows {}); start that "
                            "version, or choose another data folder.",
                            *version, newest));
  }
  for (auto step = static_cast<std::size_t>(*version); step < kSteps.size(); ++step) {
    const auto& [script, is_done] = kSteps[step];
    const auto done = is_done != nullptr ? connection.query_integer(is_done) : Result<std::int64_t>(0);
    if (!done) return fail(done.error());
    if (*done != 0) continue;
    if (auto taken = connection.execute_script(script); !taken) return taken;
  }
  return connection.execute_script(fmt::format("PRAGMA user_version = {}", newest));
}

}  // namespace

Result<void> migrate(sqlite::Connection& connection) {
  if (auto begun = connection.execute("BEGIN IMMEDIATE"); !begun) return begun;
  auto done = take_steps(connection);
  if (done) done = connection.execute("COMMIT");
  if (!done && connection.in_transaction()) {
    if (auto undone = connection.execute("ROLLBACK"); !undone) return undone;
  }
  return done;
}

}  // namespace infra
