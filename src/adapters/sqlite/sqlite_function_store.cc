#include "adapters/sqlite/sqlite_function_store.h"

#include <algorithm>
#include <utility>

#include "adapters/sqlite/row_codec.h"
#include "core/error_codes.h"
#include "core/page_cursor.h"

namespace infra {
namespace {

using sqlite::Connection;
using sqlite::Statement;

constexpr std::string_view kInsert =
    "INSERT INTO functions(id, name, description, original_name, runtime, memory_mb, timeout_ms, env, code_key, "
    "code_sha256, version, uploaded_at, updated_at, network, keep_warm, max_concurrency) "
    "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING";
constexpr std::string_view kInsertCounters = "INSERT INTO function_counters VALUES(?,?,?,?,?)";
constexpr std::string_view kUpdate =
    "UPDATE functions SET name=?, description=?, original_name=?, memory_mb=?, timeout_ms=?, env=?, code_key=?, "
    "code_sha256=?, version=?, updated_at=?, network=?, keep_warm=?, max_concurrency=? WHERE id=?";
constexpr std::string_view kFind = "SELECT * FROM counted_functions WHERE id=?";
constexpr std::string_view kList =
    "SELECT * FROM counted_functions WHERE (uploaded_at, id) > (?, ?) ORDER BY uploaded_at, id LIMIT ?";

std::unexpected<Error> no_such_function() {
  return fail(errors::function_not_found, "There is no function with this id.");
}

// Columns in the order of the view counted_functions.
Result<Function> read_row(const Statement& row) {
  auto env = environment_from_column(row.text(7));
  if (!env) return fail(env.error());
  Function f;
  f.id = {row.text(0)};
  f.name = row.text(1);
  f.description = row.text(2);
  f.original_name = row.text(3);
  f.runtime = static_cast<Runtime>(row.integer(4));
  f.memory_mb = static_cast<int>(row.integer(5));
  f.timeout = milliseconds{row.integer(6)};
  f.env = std::move(*env);
  f.code = {row.text(8), row.text(9)};
  f.version = row.integer(10);
  f.uploaded_at = time_from_column(row.integer(11));
  f.updated_at = time_from_column(row.integer(12));
  f.invocations = row.integer(13);
  f.total_duration_ms = row.real(14);
  f.handler_invocations = row.integer(15);
  f.total_handler_ms = row.real(16);
  f.network = static_cast<Network>(row.integer(17));
  f.keep_warm = static_cast<int>(row.integer(18));
  f.max_concurrency = static_cast<int>(row.integer(19));
  return f;
}

Result<Function> find_row(Connection& connection, const FunctionId& id) {
  auto statement = connection.prepare(kFind);
  const auto row = statement.bind(id.value).step();
  if (!row) return fail(row.error());
  if (!*row) return no_such_function();
  return read_row(statement);
}

Result<void> insert_row(Connection& connection, const Function& f) {
  const std::string env = to_json(f.env);
  auto statement = connection.prepare(kInsert);
  statement.bind(f.id.value).bind(f.name).bind(f.description).bind(f.original_name).bind(static_cast<int>(f.runtime));
  statement.bind(f.memory_mb).bind(f.timeout.count()).bind(env).bind(f.code.key).bind(f.code.sha256).bind(f.version);
  statement.bind(to_column(f.uploaded_at)).bind(to_column(f.updated_at));
  statement.bind(static_cast<int>(f.network)).bind(f.keep_warm).bind(f.max_concurrency);
  if (auto done = statement.run(); !done) return done;
  if (connection.changes() == 0) {
    return fail(errors::function_exists, "A function with this id exists already.");
  }
  auto counters = connection.prepare(kInsertCounters);
  counters.bind(f.id.value).bind(f.invocations).bind(f.total_duration_ms);
  return counters.bind(f.handler_invocations).bind(f.total_handler_ms).run();
}

Result<void> update_row(Connection& connection, const Function& f) {
  const std::string env = to_json(f.env);
  auto statement = connection.prepare(kUpdate);
  statement.bind(f.name).bind(f.description).bind(f.original_name).bind(f.memory_mb).bind(f.timeout.count()).bind(env);
  statement.bind(f.code.key).bind(f.code.sha256).bind(f.version).bind(to_column(f.updated_at));
  statement.bind(static_cast<int>(f.network)).bind(f.keep_warm).bind(f.max_concurrency).bind(f.id.value);
  return statement.run();
}

Function changed(Function f, const FunctionChange& change, WallTime now) {
  f.name = change.name.value_or(f.name);
  f.description = change.description.value_or(f.description);
  f.memory_mb = change.memory_mb.value_or(f.memory_mb);
  f.timeout = change.timeout.value_or(f.timeout);
  f.env = change.env.value_or(f.env);
  f.network = change.network.value_or(f.network);
  f.keep_warm = change.keep_warm.value_or(f.keep_warm);
  f.max_concurrency = change.max_concurrency.value_or(f.max_concurrency);
  f.code = change.code.value_or(f.code);
  f.original_name = change.original_name.value_or(f.original_name);
  ++f.version;
  f.updated_at = now;
  return f;
}

Result<FunctionPage> read_page(Connection& connection, const FunctionCursor& after, int limit) {
  auto statement = connection.prepare(kList);
  statement.bind(to_column(after.uploaded_at)).bind(after.id.value).bind(limit + 1);
  FunctionPage page;
  while (true) {
    const auto row = statement.step();
    if (!row) return fail(row.error());
    if (!*row) return page;
    if (std::cmp_equal(page.functions.size(), limit)) {
      page.next_cursor = make_function_cursor(page.functions.back());
      return page;
    }
    auto function = read_row(statement);
    if (!function) return fail(function.error());
    page.functions.push_back(std::move(*function));
  }
}

}  // namespace

std::optional<Function> FunctionCache::find(const FunctionId& id) {
  const MutexLock lock(mutex_);
  const Function* const row = rows_.use(id);
  return row == nullptr ? std::nullopt : std::optional(*row);
}

void FunctionCache::put(const Function& function) {
  const MutexLock lock(mutex_);
  if (Function* const known = rows_.peek(function.id)) {
    *known = function;
  } else {
    rows_.use_or_make(function.id, [&] { return function; });
  }
}

void FunctionCache::erase(const FunctionId& id) {
  const MutexLock lock(mutex_);
  rows_.erase(id);
}

void FunctionCache::count(const LogRow& run) {
  const MutexLock lock(mutex_);
  Function* const row = rows_.peek(run.function_id);
  if (row == nullptr) return;
  ++row->invocations;
  row->total_duration_ms += run.duration_ms;
  row->handler_invocations += run.handler_ms ? 1 : 0;
  row->total_handler_ms += run.handler_ms.value_or(0);
}

Task<Result<void>> SqliteFunctionStore::insert(const Function& function) {
  const auto shared = std::make_shared<const Function>(function);
  co_return co_await database_.write<void>([shared](Connection& connection) { return insert_row(connection, *shared); },
                                           [shared, cache = cache_](const Result<void>& outcome) {
                                             if (outcome) cache->put(*shared);
                                           });
}

Task<Result<Function>> SqliteFunctionStore::find(const FunctionId& id) {
  if (auto cached = cache_->find(id)) co_return std::move(*cached);
  auto found = co_await database_.read<Function>([id](Connection& connection) { return find_row(connection, id); });
  if (!found) co_return found;
  // The cache is filled from the writer's own queue, so that no count or change falls between the read and the fill.
  auto row = std::make_shared<std::optional<Function>>();
  co_await database_.write_behind({.apply = [id, row](Connection& connection) -> Result<void> {
                                     auto current = find_row(connection, id);
                                     if (!current) return fail(current.error());
                                     *row = std::move(*current);
                                     return {};
                                   },
                                   .settled =
                                       [row, cache = cache_](const Result<void>& outcome) {
                                         if (outcome) cache->put(**row);
                                       }});
  co_return found;
}

Task<Result<Function>> SqliteFunctionStore::update(const FunctionId& id, const FunctionChange& change, WallTime now) {
  const auto after = std::make_shared<Function>();
  co_return co_await database_.write<Function>(
      [id, change, now, after](Connection& connection) -> Result<Function> {
        auto before = find_row(connection, id);
        if (!before) return before;
        *after = changed(*before, change, now);
        if (auto done = update_row(connection, *after); !done) return fail(done.error());
        return before;
      },
      [after, cache = cache_](const Result<Function>& outcome) {
        if (outcome) cache->put(*after);
      });
}

Task<Result<Function>> SqliteFunctionStore::remove(const FunctionId& id) {
  co_return co_await database_.write<Function>(
      [id](Connection& connection) -> Result<Function> {
        auto before = find_row(connection, id);
        if (!before) return before;
        auto row = connection.prepare("DELETE FROM functions WHERE id=?").bind(id.value).run();
        if (row) row = connection.prepare("DELETE FROM function_counters WHERE function_id=?").bind(id.value).run();
        if (!row) return fail(row.error());
        return before;
      },
      [id, cache = cache_](const Result<Function>& outcome) {
        if (outcome) cache->erase(id);
      });
}

Task<Result<FunctionPage>> SqliteFunctionStore::list(int limit, const std::string& cursor) {
  const auto after = read_function_cursor(cursor);
  if (!after) co_return fail(after.error());
  co_return co_await database_.read<FunctionPage>([after = *after, rows = std::max(limit, 1)](Connection& connection) {
    return read_page(connection, after, rows);
  });
}

}  // namespace infra
