// The simulated DynamoDB as its documentation has it: conditions that are atomic, pages, consistency and expiry; and
// each fault alone, with its bound.
#include "platform/engines/aws/simulated_dynamodb.h"

#include <fmt/format.h>

#include <set>

#include "platform/engines/aws/test_world.h"

namespace infra::simulation {
namespace {

namespace json = boost::json;
using std::chrono::seconds;

json::object text(const std::string& value) {
  return {{"S", value}};
}
json::object number(std::int64_t value) {
  return {{"N", std::to_string(value)}};
}

class SimulatedDynamoDbTest : public ::testing::Test {
 protected:
  SimulatedDynamoDbTest() {
    world_.aws.dynamodb().make_table("f", SimulatedDynamoDb::functions_table());
    world_.aws.dynamodb().make_table("l", SimulatedDynamoDb::logs_table());
  }
  ~SimulatedDynamoDbTest() override { EXPECT_TRUE(world_.complaints.empty()); }

  json::object ask(const std::string& action, const json::object& fields) {
    const auto answer = world_.ask("DynamoDB_20120810." + action, fields);
    EXPECT_TRUE(answer);
    return answer ? fields_of(*answer) : json::object{};
  }
  static std::string refusal(const json::object& answer) {
    if (!answer.contains("__type")) return "";
    const std::string type(answer.at("__type").as_string());
    return type.substr(type.find('#') + 1);
  }
  std::string put(const std::string& id, const json::object& more = {}, const std::string& condition = "") {
    json::object item{{"functionId", text(id)}};
    for (const auto& member : more) item[member.key()] = member.value();
    json::object fields{{"TableName", more.contains("timestamp") ? "l" : "f"}, {"Item", item}};
    if (!condition.empty()) fields["ConditionExpression"] = condition;
    return refusal(ask("PutItem", fields));
  }
  json::object get(const std::string& id, bool is_consistent = true) {
    return ask("GetItem", {{"TableName", "f"}, {"Key", {{"functionId", text(id)}}}, {"ConsistentRead", is_consistent}});
  }
  json::object query(const json::object& more) {
    json::object fields{{"TableName", "l"},
                        {"KeyConditionExpression", "functionId = :f"},
                        {"ExpressionAttributeValues", {{":f", text("a")}}},
                        {"ConsistentRead", true}};
    for (const auto& member : more) fields[member.key()] = member.value();
    return ask("Query", fields);
  }
  void put_logs(int count) {
    for (int i = 0; i < count; ++i) {
      for (const char* function : {"a", "b"}) put(function, {{"timestamp", text(fmt::format("t{:02}", i))}});
    }
  }

  SteppedAwsWorld world_;
};

TEST_F(SimulatedDynamoDbTest, OfConditionalWritesOneWins) {
  EXPECT_EQ(put("x", {{"v", number(1)}}, "attribute_not_exists(functionId)"), "");
  EXPECT_EQ(put("x", {{"v", number(2)}}, "attribute_not_exists(functionId)"), "ConditionalCheckFailedException");
  EXPECT_EQ(get("x").at("Item").at("v").at("N"), "1");
  const json::object update{{"TableName", "f"},
                            {"Key", {{"functionId", text("none")}}},
                            {"ConditionExpression", "attribute_exists(functionId)"},
                            {"UpdateExpression", "ADD n :n"},
                            {"ExpressionAttributeValues", {{":n", number(1)}}}};
  EXPECT_EQ(refusal(ask("UpdateItem", update)), "ConditionalCheckFailedException");
  EXPECT_FALSE(get("none").contains("Item"));
}

TEST_F(SimulatedDynamoDbTest, AnUpdateGivesTheRowThatWas) {
  json::object update{{"TableName", "f"},
                      {"Key", {{"functionId", text("x")}}},
                      {"UpdateExpression", "SET v = :v"},
                      {"ExpressionAttributeValues", {{":v", number(2)}}},
                      {"ReturnValues", "ALL_OLD"}};
  EXPECT_FALSE(ask("UpdateItem", update).contains("Attributes"));
  update["ExpressionAttributeValues"].at(":v") = number(3);
  EXPECT_EQ(ask("UpdateItem", update).at("Attributes").at("v").at("N"), "2");
  update["UpdateExpression"] = "SET functionId = :v";
  EXPECT_EQ(refusal(ask("UpdateItem", update)), "ValidationException");
  const json::object remove{{"TableName", "f"}, {"Key", {{"functionId", text("x")}}}, {"ReturnValues", "ALL_OLD"}};
  EXPECT_EQ(ask("DeleteItem", remove).at("Attributes").at("v").at("N"), "3");
  EXPECT_FALSE(ask("DeleteItem", remove).contains("Attributes"));
}

TEST_F(SimulatedDynamoDbTest, WhatBreaksItsLimitsIsRefused) {
  EXPECT_EQ(put("x", {{"big", text(std::string(400 * 1024, 'x'))}}), "ValidationException");
  EXPECT_EQ(put(""), "ValidationException");
  EXPECT_EQ(refusal(ask("GetItem", {{"TableName", "l"}, {"Key", {{"functionId", text("x")}}}})), "ValidationException");
  EXPECT_EQ(refusal(ask("GetItem", {{"TableName", "none"}, {"Key", {{"functionId", text("x")}}}})),
            "ResourceNotFoundException");
  json::array keys;
  for (int i = 0; i < 101; ++i) keys.push_back({{"functionId", text(std::to_string(i))}});
  EXPECT_EQ(refusal(ask("BatchGetItem", {{"RequestItems", {{"f", {{"Keys", keys}}}}}})), "ValidationException");
  keys = {{{"functionId", text("1")}}, {{"functionId", text("1")}}};
  EXPECT_EQ(refusal(ask("BatchGetItem", {{"RequestItems", {{"f", {{"Keys", keys}}}}}})), "ValidationException");
}

TEST_F(SimulatedDynamoDbTest, AQueryGoesThroughItsPartitionInPages) {
  put_logs(7);
  for (const bool forward : {true, false}) {
    std::vector<std::string> seen;
    json::object more{{"Limit", 3}, {"ScanIndexForward", forward}};
    int pages = 0;
    while (true) {
      const auto answer = query(more);
      ++pages;
      for (const auto& item : answer.at("Items").as_array())
        seen.emplace_back(item.at("timestamp").at("S").as_string());
      if (!answer.contains("LastEvaluatedKey")) break;
      more["ExclusiveStartKey"] = answer.at("LastEvaluatedKey");
    }
    EXPECT_EQ(seen.size(), 7U);
    EXPECT_EQ(pages, 3);
    EXPECT_EQ(seen.front(), forward ? "t00" : "t06");
  }
  EXPECT_TRUE(query({{"Limit", 7}}).contains("LastEvaluatedKey"));  // a full page says so, whether there is more or not
  const json::object foreign{{"functionId", text("b")}, {"timestamp", text("t01")}};
  EXPECT_EQ(refusal(query({{"ExclusiveStartKey", foreign}})), "ValidationException");
}

TEST_F(SimulatedDynamoDbTest, AFilterComesAfterTheLimit) {
  for (int i = 0; i < 10; ++i) put("a", {{"timestamp", text(fmt::format("t{}", i))}, {"parity", number(i % 2)}});
  const auto answer = query({{"Limit", 5},
                             {"FilterExpression", "parity = :p"},
                             {"ExpressionAttributeValues", {{":f", text("a")}, {":p", number(1)}}}});
  EXPECT_EQ(answer.at("ScannedCount"), 5);
  EXPECT_EQ(answer.at("Count"), 2);
  EXPECT_TRUE(answer.contains("LastEvaluatedKey"));
}

TEST_F(SimulatedDynamoDbTest, APageEndsBehindAMegabyte) {
  for (int i = 0; i < 12; ++i) put(fmt::format("f{:02}", i), {{"big", text(std::string(200'000, 'x'))}});
  std::set<std::string> seen;
  json::object fields{{"TableName", "f"}, {"ConsistentRead", true}};
  int pages = 0;
  for (bool more = true; more; ++pages) {
    const auto answer = ask("Scan", fields);
    EXPECT_LE(answer.at("Items").as_array().size(), 6U);
    for (const auto& item : answer.at("Items").as_array()) seen.emplace(item.at("functionId").at("S").as_string());
    more = answer.contains("LastEvaluatedKey");
    if (more) fields["ExclusiveStartKey"] = answer.at("LastEvaluatedKey");
  }
  EXPECT_EQ(seen.size(), 12U);
  EXPECT_GE(pages, 2);
}

TEST_F(SimulatedDynamoDbTest, OnlyReadsThatNeedNotBeConsistentAreStale) {
  auto& faults = world_.aws.faults().dynamodb;
  faults.stale = 0.5;
  faults.stale_most = seconds{2};
  put("x", {{"v", number(1)}});
  world_.pass(seconds{10});
  put("x", {{"v", number(2)}});
  world_.pass(milliseconds{100});
  int old = 0;
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(get("x", true).at("Item").at("v").at("N"), "2");
    old += get("x", false).at("Item").at("v").at("N") == "1" ? 1 : 0;
  }
  EXPECT_GT(old, 8);
  EXPECT_LT(old, 32);
  world_.pass(seconds{2});
  for (int i = 0; i < 40; ++i) EXPECT_EQ(get("x", false).at("Item").at("v").at("N"), "2");  // a moment, and no longer
  ask("DeleteItem", {{"TableName", "f"}, {"Key", {{"functionId", text("x")}}}});
  int there = 0;
  for (int i = 0; i < 40; ++i) there += get("x", false).contains("Item") ? 1 : 0;
  EXPECT_GT(there, 8);
  EXPECT_FALSE(get("x", true).contains("Item"));
}

TEST_F(SimulatedDynamoDbTest, ABatchMayLeaveKeysForTheNextOne) {
  json::array keys;
  for (int i = 0; i < 20; ++i) {
    put(fmt::format("f{}", i));
    keys.push_back({{"functionId", text(fmt::format("f{}", i))}});
  }
  keys.push_back({{"functionId", text("none")}});
  const json::object fields{{"RequestItems", {{"f", {{"Keys", keys}, {"ConsistentRead", true}}}}}};
  auto answer = ask("BatchGetItem", fields);
  EXPECT_EQ(answer.at("Responses").at("f").as_array().size(), 20U);
  EXPECT_TRUE(answer.at("UnprocessedKeys").as_object().empty());
  world_.aws.faults().dynamodb.unprocessed = 0.5;
  answer = ask("BatchGetItem", fields);
  const auto got = answer.at("Responses").at("f").as_array().size();
  const auto left = answer.at("UnprocessedKeys").at("f").at("Keys").as_array().size();
  EXPECT_GT(got, 3U);
  EXPECT_GT(left, 3U);
  EXPECT_GE(got + left, 20U);
  EXPECT_LE(got + left, 21U);
}

TEST_F(SimulatedDynamoDbTest, AnExpiredRowGoesLate) {
  auto& faults = world_.aws.faults().dynamodb;
  faults.ttl_late_most = std::chrono::hours{48};
  const auto now = std::chrono::floor<seconds>(world_.clock.now().time_since_epoch()).count();
  for (int i = 0; i < 50; ++i)
    put("a", {{"timestamp", text(fmt::format("t{:02}", i))}, {"expiresAt", number(now + 3600)}});
  put("a", {{"timestamp", text("u")}});
  const auto count = [&] { return world_.aws.dynamodb().items("l").size(); };
  world_.pass(std::chrono::hours{1} - seconds{1});
  EXPECT_EQ(count(), 51U);
  world_.pass(std::chrono::hours{24});
  EXPECT_GT(count(), 10U);
  EXPECT_LT(count(), 42U);
  put("a", {{"timestamp", text("t00")}, {"expiresAt", number(now + 400'000)}});  // its end was put off
  world_.pass(std::chrono::hours{24} + seconds{1});
  EXPECT_EQ(count(), 2U);
}

}  // namespace
}  // namespace infra::simulation
