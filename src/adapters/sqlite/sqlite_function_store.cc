#include "adapters/sqlite/sqlite_function_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adapters/sqlite/row_codec.h"
#include "adapters/sqlite/sqlite_code_use.h"
#include "core/error_codes.h"
#include "core/page_cursor.h"

namespace infra {
namespace {

using sqlite::Connection;
using sqlite::Statement;

constexpr std::string_view kInsertCounters = "INSERT INTO function_counters VALUES(?,?,?,?,?)";

const std::string& insert_sql() {
  static const std::string kSql = fmt::format(
      "INSERT INTO functions(id, original_name, code_key, code_sha256, version, uploaded_at, updated_at, {}) "
      "VALUES(?,?,?,?,?,?,?,{}) ON CONFLICT DO NOTHING",
      setting_columns(SettingsOf::function), setting_places(SettingsOf::function));
  return kSql;
}

const std::string& update_sql() {
  static const std::string kSql = fmt::format(
      "UPDATE functions SET original_name=?, code_key=?, code_sha256=?, version=?, updated_at=?, {} WHERE id=?",
      setting_assignments(SettingsOf::function));
  return kSql;
}

std::string select(std::string_view where) {
  return fmt::format(
      "SELECT id, original_name, code_key, code_sha256, version, uploaded_at, updated_at, invocations, "
      "total_duration_ms, handler_invocations, total_handler_ms, {} FROM counted_functions WHERE {}",
      setting_columns(SettingsOf::function), where);
}

const std::string& find_sql() {
  static const std::string kSql = select("id=?");
  return kSql;
}

const std::string& list_sql() {
  static const std::string kSql = select("(uploaded_at, id) > (?, ?) ORDER BY uploaded_at, id LIMIT ?");
  return kSql;
}

std::unexpected<Error> no_such_function() {
  return fail(errors::function_not_found, "There is no function with this id.");
}

// Columns in the order of select().
Result<Function> read_row(const Statement& row) {
  Function f;
  f.id = {row.text(0)};
  f.original_name = row.text(1);
  f.code = {row.text(2), row.text(3)};
  f.version = row.integer(4);
  f.uploaded_at = time_from_column(row.integer(5));
  f.updated_at = time_from_column(row.integer(6));
  f.invocations = row.integer(7);
  f.total_duration_ms = row.real(8);
  f.handler_invocations = row.integer(9);
  f.total_handler_ms = row.real(10);
  if (auto read = read_settings(row, 11, SettingsOf::function, f); !read) return fail(read.error());
  return f;
}

Result<Function> find_row(Connection& connection, const FunctionId& id) {
  auto statement = connection.prepare(find_sql());
  const auto row = statement.bind(id.value).step();
  if (!row) return fail(row.error());
  if (!*row) return no_such_function();
  return read_row(statement);
}

Result<void> insert_row(Connection& connection, const Function& f) {
  const SettingTexts texts(f);
  auto statement = connection.prepare(insert_sql());
  statement.bind(f.id.value).bind(f.original_name).bind(f.code.key).bind(f.code.sha256).bind(f.version);
  statement.bind(to_column(f.uploaded_at)).bind(to_column(f.updated_at));
  bind_settings(statement, SettingsOf::function, f, texts);
  if (auto done = statement.run(); !done) return done;
  if (connection.changes() == 0) {
    return fail(errors::function_exists, "A function with this id exists already.");
  }
  auto counters = connection.prepare(kInsertCounters);
  counters.bind(f.id.value).bind(f.invocations).bind(f.total_duration_ms);
  return counters.bind(f.handler_invocations).bind(f.total_handler_ms).run();
}

Result<void> update_row(Connection& connection, const Function& f) {
  const SettingTexts texts(f);
  auto statement = connection.prepare(update_sql());
  statement.bind(f.original_name).bind(f.code.key).bind(f.code.sha256).bind(f.version).bind(to_column(f.updated_at));
  bind_settings(statement, SettingsOf::function, f, texts);
  return statement.bind(f.id.value).run();
}

Result<FunctionPage> read_page(Connection& connection, const FunctionCursor& after, int limit) {
  auto statement = connection.prepare(list_sql());
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

// In the change that leaves it: a program that is lost after that change has nobody who would retire it.
Result<void> leave_code(Connection& connection, const CodeRef& code, const SqliteFunctionStore::OnCodeLeft& on_left) {
  if (code.sha256.empty()) return {};
  if (on_left) on_left(code.sha256);
  return connection.prepare(kListRetired).bind(code.sha256).run();
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
      [id, change, now, after, leave = on_code_left_](Connection& connection) -> Result<Function> {
        auto before = find_row(connection, id);
        if (!before) return before;
        *after = apply(*before, change, now);
        auto done = update_row(connection, *after);
        if (done && after->code.sha256 != before->code.sha256) done = leave_code(connection, before->code, leave);
        if (!done) return fail(done.error());
        return before;
      },
      [after, cache = cache_](const Result<Function>& outcome) {
        if (outcome) cache->put(*after);
      });
}

Task<Result<Function>> SqliteFunctionStore::remove(const FunctionId& id) {
  co_return co_await database_.write<Function>(
      [id, leave = on_code_left_](Connection& connection) -> Result<Function> {
        auto before = find_row(connection, id);
        if (!before) return before;
        auto row = connection.prepare("DELETE FROM functions WHERE id=?").bind(id.value).run();
        if (row) row = connection.prepare("DELETE FROM function_counters WHERE function_id=?").bind(id.value).run();
        if (row) row = leave_code(connection, before->code, leave);
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
