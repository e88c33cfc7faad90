#include "adapters/sqlite/lost_runs.h"

#include <algorithm>

#include "adapters/sqlite/row_codec.h"
#include "core/limits.h"

namespace infra {
namespace {

using sqlite::Connection;

constexpr std::string_view kForgetRuns = "DELETE FROM lost_runs WHERE at<=?";
constexpr std::string_view kForgetQuarantines = "DELETE FROM quarantines WHERE until<=?";
constexpr std::string_view kInsert = "INSERT INTO lost_runs(function_id, code, at) VALUES(?,?,?)";
constexpr std::string_view kCount = "SELECT count(*) FROM lost_runs WHERE function_id=? AND code=?";
constexpr std::string_view kBegin =
    "INSERT INTO quarantines(function_id, code, until) VALUES(?,?,?) "
    "ON CONFLICT DO UPDATE SET until=excluded.until";
constexpr std::string_view kRead = "SELECT function_id, code, until FROM quarantines WHERE until>?";
constexpr std::string_view kAsk = "SELECT 1 FROM quarantines WHERE function_id=? AND code=? AND until>?";

}  // namespace

Result<bool> note_lost_run(Connection& connection, const CodeVersion& version, WallTime now) {
  if (auto done = connection.prepare(kForgetRuns).bind(to_column(now - limits::kQuarantine)).run(); !done)
    return fail(done.error());
  if (auto done = connection.prepare(kForgetQuarantines).bind(to_column(now)).run(); !done) return fail(done.error());
  auto insert = connection.prepare(kInsert);
  if (auto done = insert.bind(version.function.value).bind(version.code).bind(to_column(now)).run(); !done)
    return fail(done.error());
  auto count = connection.prepare(kCount);
  const auto row = count.bind(version.function.value).bind(version.code).step();
  if (!row) return fail(row.error());
  if (count.integer(0) < limits::kMaxReceives) return false;
  auto begin = connection.prepare(kBegin);
  begin.bind(version.function.value).bind(version.code).bind(to_column(now + limits::kQuarantine));
  if (auto done = begin.run(); !done) return fail(done.error());
  return true;
}

Result<std::vector<QuarantinedVersion>> read_quarantines(Connection& connection, WallTime now) {
  auto rows = connection.prepare(kRead);
  rows.bind(to_column(now));
  std::vector<QuarantinedVersion> found;
  while (true) {
    const auto row = rows.step();
    if (!row) return fail(row.error());
    if (!*row) return found;
    found.push_back({.version = {.function = {rows.text(0)}, .code = rows.text(1)},
                     .until = std::min(time_from_column(rows.integer(2)), now + limits::kQuarantine)});
  }
}

Result<bool> is_quarantined(Connection& connection, const CodeVersion& version, WallTime now) {
  auto ask = connection.prepare(kAsk);
  return ask.bind(version.function.value).bind(version.code).bind(to_column(now)).step();
}

}  // namespace infra
