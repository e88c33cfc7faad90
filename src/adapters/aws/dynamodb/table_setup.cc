#include "adapters/aws/dynamodb/table_setup.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <utility>

#include "adapters/aws/wire/json_answer.h"
#include "core/error_codes.h"

namespace infra::aws {
namespace {

namespace json = boost::json;
using State = ResourceReport::State;

constexpr milliseconds kPatience{10'000};  // for a call that makes or changes something
constexpr std::chrono::seconds kPause{1};
constexpr int kMostLooks = 120;

Task<Result<json::object>> call(AwsClient& dynamodb, std::string_view action, json::object body, Repeat repeat) {
  return dynamodb.call_json(fmt::format("DynamoDB_20120810.{}", action), std::move(body), repeat, kPatience, kPatience);
}

json::object creation(const TableWish& wish) {
  json::array attributes{json::object{{"AttributeName", wish.hash}, {"AttributeType", "S"}}};
  json::array keys{json::object{{"AttributeName", wish.hash}, {"KeyType", "HASH"}}};
  if (!wish.range.empty()) {
    attributes.push_back(json::object{{"AttributeName", wish.range}, {"AttributeType", "S"}});
    keys.push_back(json::object{{"AttributeName", wish.range}, {"KeyType", "RANGE"}});
  }
  return {{"TableName", wish.name},
          {"BillingMode", "PAY_PER_REQUEST"},
          {"AttributeDefinitions", std::move(attributes)},
          {"KeySchema", std::move(keys)}};
}

// "functionId, timestamp": the order is the schema's, the hash key first.
std::string keys_of(const json::object& table) {
  std::string keys;
  for_each_object(table, "KeySchema", [&](const json::object& key) {
    keys += fmt::format("{}{}", keys.empty() ? "" : ", ", text_of(key, "AttributeName"));
  });
  return keys;
}

std::string keys_of(const TableWish& wish) {
  return wish.range.empty() ? wish.hash : fmt::format("{}, {}", wish.hash, wish.range);
}

// A table that was just made takes some seconds.
Task<Result<json::object>> await_active(AwsClient& dynamodb, Clock& clock, std::string name) {
  for (int look = 0; look < kMostLooks; ++look) {
    const auto said = co_await call(dynamodb, "DescribeTable", {{"TableName", name}}, Repeat::safe);
    if (!said) co_return fail(said.error());
    const auto* table = object_in(*said, "Table");
    if (table != nullptr && text_of(*table, "TableStatus") == "ACTIVE") co_return *table;
    co_await clock.sleep_until(clock.steady_now() + kPause);
  }
  co_return fail(errors::aws_unavailable, "DynamoDB still makes it; look again in a moment.");
}

Task<ResourceReport> set_up_expiry(AwsClient& dynamodb, const TableWish& wish, OnMissing how, ResourceReport report) {
  const auto said = co_await call(dynamodb, "DescribeTimeToLive", {{"TableName", wish.name}}, Repeat::safe);
  const auto untold = [&](const Error& error) {
    report.state = report.state == State::ok ? State::unknown : report.state;
    report.detail = fmt::format("Whether its rows expire by {} is not known: {}", wish.ttl, error.message);
    return report;
  };
  if (!said) co_return untold(said.error());
  const auto* expiry = object_in(*said, "TimeToLiveDescription");
  const std::string status = expiry == nullptr ? "" : text_of(*expiry, "TimeToLiveStatus");
  if (status == "ENABLED" || status == "ENABLING") {
    if (text_of(*expiry, "AttributeName") == wish.ttl) co_return report;
    report.state = State::differs;
    report.detail = fmt::format("Its rows expire by {}, not by {}.", text_of(*expiry, "AttributeName"), wish.ttl);
    co_return report;
  }
  if (how == OnMissing::check) {
    report.state = State::differs;
    report.detail = fmt::format("Its rows never expire; the TTL attribute is to be {}.", wish.ttl);
    co_return report;
  }
  const auto set =
      co_await call(dynamodb, "UpdateTimeToLive",
                    {{"TableName", wish.name},
                     {"TimeToLiveSpecification", json::object{{"Enabled", true}, {"AttributeName", wish.ttl}}}},
                    Repeat::safe);
  if (!set && set.error().message.contains("UnknownOperation")) co_return untold(set.error());  // a stand-in
  if (!set) {
    report.state = State::failed;
    report.detail = set.error().message;
  } else if (report.state == State::ok) {
    report.state = State::changed;
    report.detail = fmt::format("Its rows expire by {} now.", wish.ttl);
  }
  co_return report;
}

}  // namespace

Task<ResourceReport> set_up_table(AwsClient& dynamodb, Clock& clock, TableWish wish, OnMissing how) {
  ResourceReport report{.kind = "dynamodb table", .name = wish.name};
  const auto failed = [&](const Error& error) {
    report.state = State::failed;
    report.detail = error.message;
    return report;
  };
  const auto known = co_await call(dynamodb, "DescribeTable", {{"TableName", wish.name}}, Repeat::safe);
  if (!known) {
    if (known.error().kind != ErrorKind::not_found) co_return failed(known.error());
    report.state = State::missing;
    if (how == OnMissing::check) co_return report;
    if (const auto made = co_await call(dynamodb, "CreateTable", creation(wish), Repeat::unsafe); !made)
      co_return failed(made.error());
    report.state = State::made;
  }
  const auto table = co_await await_active(dynamodb, clock, wish.name);
  if (!table) co_return failed(table.error());
  if (const std::string keys = keys_of(*table); keys != keys_of(wish)) {
    report.state = State::differs;
    report.detail =
        fmt::format("Its key is {}, and must be {}: a table with another name is needed.", keys, keys_of(wish));
    co_return report;
  }
  if (wish.ttl.empty()) co_return report;
  co_return co_await set_up_expiry(dynamodb, wish, how, std::move(report));
}

}  // namespace infra::aws
