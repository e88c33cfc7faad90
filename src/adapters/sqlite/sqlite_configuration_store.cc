#include "adapters/sqlite/sqlite_configuration_store.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "adapters/sqlite/row_codec.h"
#include "core/json_value.h"
#include "core/operator_error_codes.h"

namespace infra {
namespace {

using sqlite::Connection;
using sqlite::Statement;
using Items = std::optional<ConfigurationItem>;

constexpr std::string_view kGet =
    "SELECT sort, expires_at, attributes FROM configuration WHERE partition=? AND sort=? AND expires_at>?";
constexpr std::string_view kQuery =
    "SELECT sort, expires_at, attributes FROM configuration WHERE partition=? AND sort>? AND expires_at>? ORDER BY "
    "sort "
    "LIMIT ?";
constexpr std::string_view kPut =
    "INSERT INTO configuration(partition, sort, expires_at, attributes) VALUES(?,?,?,?) "
    "ON CONFLICT DO UPDATE SET expires_at=excluded.expires_at, attributes=excluded.attributes";
constexpr std::string_view kRemove = "DELETE FROM configuration WHERE partition=? AND sort=?";
constexpr std::string_view kSweep =
    "DELETE FROM configuration WHERE (partition, sort) IN "
    "(SELECT partition, sort FROM configuration WHERE expires_at<=? ORDER BY expires_at LIMIT ?)";

constexpr std::int64_t kNever = INT64_MAX;  // in expires_at

std::int64_t expiry_column(const std::optional<WallTime>& time) {
  return time ? to_column(std::chrono::floor<std::chrono::seconds>(*time)) : kNever;
}

std::string attributes_column(const ConfigurationItem& item) {
  boost::json::object object;
  for (const auto& [name, value] : item.attributes) {
    std::visit([&](const auto& held) { object[name] = held; }, value);
  }
  return boost::json::serialize(object);
}

ConfigurationItem read_row(const std::string& partition, const Statement& row) {
  ConfigurationItem item;
  item.key = {.partition = partition, .sort = row.text(0)};
  if (const std::int64_t until = row.integer(1); until != kNever) item.expires_at = time_from_column(until);
  const auto value = parse_json(row.text(2));
  if (!value || !value->is_object()) return item;
  for (const auto& [name, held] : value->get_object()) {
    if (held.is_string()) item.attributes.emplace(name, std::string(held.get_string()));
    if (held.is_int64()) item.attributes.emplace(name, held.get_int64());
  }
  return item;
}

Result<Items> find(Connection& connection, const ConfigurationKey& key, WallTime now) {
  auto statement = connection.prepare(kGet);
  const auto row = statement.bind(key.partition).bind(key.sort).bind(to_column(now)).step();
  if (!row) return fail(row.error());
  return *row ? Items(read_row(key.partition, statement)) : std::nullopt;
}

Result<void> put(Connection& connection, const ConfigurationItem& item) {
  const std::string attributes = attributes_column(item);
  auto statement = connection.prepare(kPut);
  statement.bind(item.key.partition).bind(item.key.sort).bind(expiry_column(item.expires_at));
  return statement.bind(attributes).run();
}

std::unexpected<Error> changed() {
  return fail(errors::item_changed, "The configuration item has changed meanwhile.");
}

Result<void> check(Connection& connection, const ConfigurationKey& key, const ConfigurationCondition& condition,
                   WallTime now) {
  const auto found = find(connection, key, now);
  if (!found) return fail(found.error());
  if (!*found) return changed();
  const auto attribute = (*found)->attributes.find(condition.attribute);
  if (attribute == (*found)->attributes.end() || attribute->second != condition.value) return changed();
  return {};
}

}  // namespace

Task<Result<Items>> SqliteConfigurationStore::get(const ConfigurationKey& key) {
  co_return co_await database_.read<Items>(
      [key, now = database_.clock().now()](Connection& connection) { return find(connection, key, now); });
}

Task<Result<void>> SqliteConfigurationStore::put_new(const ConfigurationItem& item) {
  co_return co_await database_.write<void>(
      [item, now = database_.clock().now()](Connection& connection) -> Result<void> {
        const auto found = find(connection, item.key, now);
        if (!found) return fail(found.error());
        if (*found) return changed();
        return put(connection, item);
      });
}

Task<Result<void>> SqliteConfigurationStore::replace(const ConfigurationItem& item,
                                                     const ConfigurationCondition& condition) {
  co_return co_await database_.write<void>(
      [item, condition, now = database_.clock().now()](Connection& connection) -> Result<void> {
        if (auto as_it_was = check(connection, item.key, condition, now); !as_it_was) return as_it_was;
        return put(connection, item);
      });
}

Task<Result<void>> SqliteConfigurationStore::remove(const ConfigurationKey& key,
                                                    const ConfigurationCondition& condition) {
  co_return co_await database_.write<void>(
      [key, condition, now = database_.clock().now()](Connection& connection) -> Result<void> {
        if (auto as_it_was = check(connection, key, condition, now); !as_it_was) return as_it_was;
        return connection.prepare(kRemove).bind(key.partition).bind(key.sort).run();
      });
}

Task<Result<ConfigurationPage>> SqliteConfigurationStore::query(const std::string& partition, const std::string& after,
                                                                int limit) {
  co_return co_await database_.read<ConfigurationPage>(
      [partition, after, most = std::max(limit, 1),
       now = database_.clock().now()](Connection& connection) -> Result<ConfigurationPage> {
        auto statement = connection.prepare(kQuery);
        statement.bind(partition).bind(after).bind(to_column(now)).bind(most + 1);
        ConfigurationPage page;
        while (true) {
          const auto row = statement.step();
          if (!row) return fail(row.error());
          if (!*row) return page;
          if (std::cmp_equal(page.items.size(), most)) {
            page.next = page.items.back().key.sort;
            return page;
          }
          page.items.push_back(read_row(partition, statement));
        }
      });
}

Task<Result<void>> SqliteConfigurationStore::sweep(WallTime now) {
  co_return co_await database_.sweep(kSweep, now);
}

}  // namespace infra
