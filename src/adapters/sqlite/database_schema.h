// The tables of infra.db and how an older file becomes the present one. PRAGMA user_version counts the steps taken.
#pragma once

#include "adapters/sqlite/sqlite.h"
#include "core/error.h"

namespace infra {

// Brings the file up to date in one transaction. An error if a newer program wrote it.
[[nodiscard]] Result<void> migrate(sqlite::Connection& connection);

}  // namespace infra
