// Quarantines on one machine: known by heart, and kept in infra.db over restarts.
#pragma once

#include <memory>

#include "adapters/memory/quarantine_list.h"
#include "adapters/sqlite/database.h"
#include "ports/quarantine.h"

namespace infra {

class SqliteQuarantine final : public Quarantine {
 public:
  // Blocks: for the start of the program, behind SqliteJobQueue::open(), which may begin quarantines.
  [[nodiscard]] static Result<std::unique_ptr<SqliteQuarantine>> open(Database& database);

  [[nodiscard]] std::optional<milliseconds> remaining(const FunctionId& function, const CodeRef& code) const override {
    return list_.remaining(function, code, database_.clock().steady_now());
  }
  Task<void> note_lost(const Job& job) override;

 private:
  explicit SqliteQuarantine(Database& database) : database_(database) {}

  Database& database_;
  QuarantineList list_;
};

}  // namespace infra
