#include "adapters/sqlite/sqlite_code_use.h"

namespace infra {
namespace {

using sqlite::Connection;

constexpr std::string_view kUsers =
    "SELECT EXISTS(SELECT 1 FROM functions WHERE code_sha256=?), "
    "EXISTS(SELECT 1 FROM jobs WHERE code_sha256=? AND dead_at IS NULL)";

}  // namespace

Task<Result<CodeUser>> SqliteCodeUse::user_of(const std::string& sha256) {
  if (queue_.holds_code(sha256)) co_return CodeUser::job;
  // Asked on the writer thread, behind every row that is still on its way to the disk.
  co_return co_await database_.write<CodeUser>([sha256](Connection& connection) -> Result<CodeUser> {
    auto users = connection.prepare(kUsers);
    const auto row = users.bind(sha256).bind(sha256).step();
    if (!row) return fail(row.error());
    if (users.integer(0) != 0) return CodeUser::function;
    return users.integer(1) != 0 ? CodeUser::job : CodeUser::nobody;
  });
}

Task<Result<void>> SqliteRetiredCode::add(const std::string& sha256) {
  co_return co_await database_.write<void>(
      [sha256](Connection& connection) { return connection.prepare(kListRetired).bind(sha256).run(); });
}

Task<Result<void>> SqliteRetiredCode::remove(const std::string& sha256) {
  co_return co_await database_.write<void>([sha256](Connection& connection) {
    return connection.prepare("DELETE FROM retired_code WHERE sha256=?").bind(sha256).run();
  });
}

Task<Result<std::vector<std::string>>> SqliteRetiredCode::list() {
  using Names = std::vector<std::string>;
  co_return co_await database_.read<Names>([](Connection& connection) -> Result<Names> {
    auto rows = connection.prepare("SELECT sha256 FROM retired_code ORDER BY position");
    Names names;
    while (true) {
      const auto row = rows.step();
      if (!row) return fail(row.error());
      if (!*row) return names;
      names.push_back(rows.text(0));
    }
  });
}

}  // namespace infra
