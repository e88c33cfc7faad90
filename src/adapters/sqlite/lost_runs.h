// Jobs that were lost with their worker, by version, and the quarantines that follow, in infra.db.
#pragma once

#include <vector>

#include "adapters/sqlite/sqlite.h"
#include "core/code_version.h"
#include "core/error.h"
#include "core/time.h"

namespace infra {

struct QuarantinedVersion {
  CodeVersion version;
  WallTime until;
};

// One more; true if that begins a quarantine.
[[nodiscard]] Result<bool> note_lost_run(sqlite::Connection& connection, const CodeVersion& version, WallTime now);
// Those that last, none longer than limits::kQuarantine from `now` on, wherever the clock has been.
[[nodiscard]] Result<std::vector<QuarantinedVersion>> read_quarantines(sqlite::Connection& connection, WallTime now);
[[nodiscard]] Result<bool> is_quarantined(sqlite::Connection& connection, const CodeVersion& version, WallTime now);

}  // namespace infra
