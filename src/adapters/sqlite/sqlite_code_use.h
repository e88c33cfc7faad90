// The code store's questions, answered from infra.db and the job queue.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/sqlite/database.h"
#include "adapters/sqlite/sqlite_job_queue.h"
#include "ports/code_use.h"

namespace infra {

class SqliteCodeUse final : public CodeUse {
 public:
  SqliteCodeUse(Database& database, SqliteJobQueue& queue) : database_(database), queue_(queue) {}
  Task<Result<CodeUser>> user_of(const std::string& sha256) override;

 private:
  Database& database_;
  SqliteJobQueue& queue_;
};

// Puts a bundle on the list; binds its SHA-256.
inline constexpr std::string_view kListRetired = "INSERT INTO retired_code(sha256) VALUES(?) ON CONFLICT DO NOTHING";

class SqliteRetiredCode final : public RetiredCode {
 public:
  explicit SqliteRetiredCode(Database& database) : database_(database) {}
  Task<Result<void>> add(const std::string& sha256) override;
  Task<Result<void>> remove(const std::string& sha256) override;
  Task<Result<std::vector<std::string>>> list() override;

 private:
  Database& database_;
};

}  // namespace infra
