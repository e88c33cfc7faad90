#include "adapters/sqlite/sqlite_quarantine.h"

#include <vector>

#include "adapters/sqlite/lost_runs.h"
#include "core/limits.h"
#include "telemetry/log.h"

namespace infra {
namespace {

using sqlite::Connection;

void tell(const CodeVersion& version) {
  log::error("a version of a function is in quarantine: its jobs took their worker down again and again",
             {{"functionId", version.function.value}, {"version", version.code}});
}

}  // namespace

Result<std::unique_ptr<SqliteQuarantine>> SqliteQuarantine::open(Database& database) {
  const WallTime now = database.clock().now();
  const auto found = database.read_now<std::vector<QuarantinedVersion>>(
      [now](Connection& connection) { return read_quarantines(connection, now); });
  if (!found) return fail(found.error());
  std::unique_ptr<SqliteQuarantine> quarantine(new SqliteQuarantine(database));
  for (const auto& [version, until] : *found) {
    tell(version);
    quarantine->list_.add(version, database.clock().steady_now() + (until - now));
  }
  return quarantine;
}

Task<void> SqliteQuarantine::note_lost(const Job& job) {
  const CodeVersion version = version_of(job.function_id, job.code);
  const auto begun =
      co_await database_.write<bool>([version, now = database_.clock().now()](
                                         Connection& connection) { return note_lost_run(connection, version, now); },
                                     nullptr, Database::Haste::none);
  if (!begun || !*begun) co_return;
  tell(version);
  list_.add(version, database_.clock().steady_now() + limits::kQuarantine);
}

}  // namespace infra
