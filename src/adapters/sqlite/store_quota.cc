#include "adapters/sqlite/store_quota.h"

#include <string>

#include "telemetry/log.h"

namespace infra {
namespace {

using sqlite::Connection;

constexpr std::int64_t kBatch = 200;
constexpr std::uint64_t kDownToPercent = 95;

// A job whose row is there may be handed out again, and its log row says that it was settled.
constexpr std::string_view kChooseOf =
    "INSERT INTO leaving SELECT l.rowid, l.request_id, length(l.message) FROM logs l WHERE l.function_id=? AND NOT "
    "EXISTS "
    "(SELECT 1 FROM jobs j WHERE j.request_id=l.request_id AND j.dead_at IS NULL) ORDER BY l.timestamp LIMIT ?";
constexpr std::string_view kChooseOldest =
    "INSERT INTO leaving SELECT l.rowid, l.request_id, length(l.message) FROM logs l WHERE NOT EXISTS "
    "(SELECT 1 FROM jobs j WHERE j.request_id=l.request_id AND j.dead_at IS NULL) ORDER BY l.expires_at LIMIT ?";

Result<void> make_list(Connection& connection) {
  if (auto made =
          connection.execute("CREATE TEMP TABLE IF NOT EXISTS leaving(row INTEGER, request TEXT, bytes INTEGER)");
      !made)
    return made;
  return connection.execute("DELETE FROM leaving");
}

constexpr std::string_view kDeleteSums =
    "DELETE FROM run_sums WHERE (function_id, span, begin) IN "
    "(SELECT function_id, span, begin FROM run_sums ORDER BY begin LIMIT ?)";

struct Left {
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
};

// `function` is empty for the oldest of all.
Result<Left> delete_rows(Connection& connection, const std::string& function) {
  if (auto made = make_list(connection); !made) return fail(made.error());
  {
    auto choose = connection.prepare(function.empty() ? kChooseOldest : kChooseOf);
    if (!function.empty()) choose.bind(function);
    if (auto chosen = choose.bind(kBatch).run(); !chosen) return fail(chosen.error());
  }
  const auto rows = connection.query_integer("SELECT count(*) FROM leaving");
  const auto logs = connection.query_integer("SELECT ifnull(sum(bytes), 0) FROM leaving");
  const auto results = connection.query_integer(
      "SELECT ifnull(sum(length(value) + length(result)), 0) FROM results WHERE request_id IN (SELECT request FROM "
      "leaving)");
  if (!rows || !logs || !results) return fail(!rows ? rows.error() : !logs ? logs.error() : results.error());
  for (const std::string_view sql : {"DELETE FROM results WHERE request_id IN (SELECT request FROM leaving)",
                                     "DELETE FROM logs WHERE rowid IN (SELECT row FROM leaving)"}) {
    if (auto deleted = connection.execute(sql); !deleted) return fail(deleted.error());
  }
  if (*rows > 0 || !function.empty()) return Left{.rows = *rows, .bytes = *logs + *results};
  // Charts' past is small, and goes last.
  if (auto deleted = connection.prepare(kDeleteSums).bind(kBatch).run(); !deleted) return fail(deleted.error());
  return Left{.rows = connection.changes()};
}

}  // namespace

Task<Result<std::uint64_t>> StoreQuota::held() {
  co_return co_await database_.read<std::uint64_t>([](Connection& connection) -> Result<std::uint64_t> {
    const auto pages = connection.query_integer("PRAGMA page_count");
    const auto free = connection.query_integer("PRAGMA freelist_count");
    const auto size = connection.query_integer("PRAGMA page_size");
    if (!pages || !free || !size) return fail(!pages ? pages.error() : !free ? free.error() : size.error());
    return static_cast<std::uint64_t>((*pages - *free) * *size);
  });
}

// The one that has written most since the start; before anybody has, the oldest rows of all.
Task<Result<bool>> StoreQuota::delete_some() {
  const std::string function = database_.written().largest().value_or("");
  const auto left =
      co_await database_.write<Left>([function](Connection& connection) { return delete_rows(connection, function); });
  if (!left) co_return fail(left.error());
  if (function.empty()) co_return left->rows > 0;
  if (left->rows > 0) {
    database_.written().subtract(function, left->bytes);
  } else {
    database_.written().forget(function);
  }
  co_return true;  // another one's turn
}

Task<Result<void>> StoreQuota::keep() {
  auto bytes = co_await held();
  if (!bytes) co_return fail(bytes.error());
  if (*bytes <= most_bytes_) co_return Result<void>{};
  const std::uint64_t before = *bytes;
  while (*bytes > most_bytes_ / 100 * kDownToPercent) {
    const auto any = co_await delete_some();
    if (!any) co_return fail(any.error());
    if (!*any) break;
    bytes = co_await held();
    if (!bytes) co_return fail(bytes.error());
  }
  log::warn("log rows and results went before their time: the database had more than its part of the disk",
            {{"bytesBefore", before}, {"bytes", *bytes}});
  co_return Result<void>{};
}

}  // namespace infra
