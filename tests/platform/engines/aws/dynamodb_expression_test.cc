// DynamoDB's expressions: what our adapters write is understood as DynamoDB does, and everything else is said aloud.
#include "platform/engines/aws/dynamodb_expression.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "platform/engines/aws/dynamodb_number.h"

namespace infra::simulation {
namespace {

namespace json = boost::json;

json::object parse(std::string_view text) {
  return json::parse(text).as_object();
}

class DynamoDbExpressionTest : public ::testing::Test {
 protected:
  // "true", "false" or the refusal.
  std::string condition(const std::string& text, const std::string& item, const std::string& values = "{}",
                        const std::string& names = "{}") {
    json::object request{{"ConditionExpression", text}};
    if (names != "{}") request["ExpressionAttributeNames"] = parse(names);
    if (values != "{}") request["ExpressionAttributeValues"] = parse(values);
    DynamoDbExpressions expressions(request, complain_);
    if (const auto good = expressions.check(); !good) return good.error().message;
    const auto row = parse(item);
    const auto holds = expressions.holds("ConditionExpression", row.empty() ? nullptr : &row);
    if (!holds) return holds.error().message;
    return *holds ? "true" : "false";
  }
  std::string update(const std::string& text, const std::string& item, const std::string& values = "{}") {
    json::object request{{"UpdateExpression", text}};
    if (values != "{}") request["ExpressionAttributeValues"] = parse(values);
    DynamoDbExpressions expressions(request, complain_);
    if (const auto good = expressions.check(); !good) return good.error().message;
    auto row = parse(item);
    const auto done = expressions.update(row);
    return done ? json::serialize(row) : done.error().message;
  }

  std::vector<std::string> complaints_;
  DynamoDbExpressions::Complain complain_ = [this](const std::string& words) { complaints_.push_back(words); };
};

TEST_F(DynamoDbExpressionTest, ConditionsHoldOfARowOrOfNone) {
  const std::string row = R"({"id":{"S":"b"},"n":{"N":"10"}})";
  EXPECT_EQ(condition("attribute_exists(id)", row), "true");
  EXPECT_EQ(condition("attribute_exists(id)", "{}"), "false");
  EXPECT_EQ(condition("attribute_not_exists(id)", row), "false");
  EXPECT_EQ(condition("attribute_not_exists(other)", row), "true");
  EXPECT_EQ(condition("#i = :b AND n >= :n", row, R"({":b":{"S":"b"},":n":{"N":"9.5"}})", R"({"#i":"id"})"), "true");
  EXPECT_EQ(condition("n < :n", row, R"({":n":{"N":"9"}})"), "false");  // as numbers
  EXPECT_EQ(condition("id < :s", row, R"({":s":{"S":"c"}})"), "true");
  EXPECT_EQ(condition("id = :s", row, R"({":s":{"N":"1"}})"), "false");
  EXPECT_EQ(condition("other >= :s", row, R"({":s":{"S":"c"}})"), "false");
  EXPECT_EQ(condition("other <> :s", row, R"({":s":{"S":"c"}})"), "true");
  EXPECT_TRUE(complaints_.empty());
}

TEST_F(DynamoDbExpressionTest, UpdatesAreReckonedFromTheRowAsItWas) {
  EXPECT_EQ(update("SET a = b, b = :x REMOVE c ADD n :n, m :n", R"({"b":{"S":"old"},"c":{"S":"c"},"n":{"N":"0.5"}})",
                   R"({":x":{"S":"new"},":n":{"N":"2"}})"),
            R"({"b":{"S":"new"},"n":{"N":"2.5"},"a":{"S":"old"},"m":{"N":"2"}})");
  EXPECT_EQ(update("SET v = if_not_exists(v, :one) + :one", "{}", R"({":one":{"N":"1"}})"), R"({"v":{"N":"2"}})");
  EXPECT_EQ(update("SET v = if_not_exists(v, :one) + :one", R"({"v":{"N":"7"}})", R"({":one":{"N":"1"}})"),
            R"({"v":{"N":"8"}})");
  EXPECT_TRUE(complaints_.empty());
}

TEST_F(DynamoDbExpressionTest, WhatDynamoDbWouldRefuseIsRefused) {
  EXPECT_NE(condition("status = :s", "{}", R"({":s":{"S":"x"}})").find("reserved"), std::string::npos);
  EXPECT_NE(condition("a = :s", "{}", R"({":t":{"S":"x"}})").find("Placeholders"), std::string::npos);
  EXPECT_NE(condition("a = :s", "{}", R"({":s":{"S":"x"},":t":{"S":"x"}})").find("Placeholders"), std::string::npos);
  EXPECT_TRUE(complaints_.empty());
}

TEST_F(DynamoDbExpressionTest, WhatIsNotSimulatedIsSaidAloud) {
  for (const char* const text : {"a = b OR c = d", "begins_with(a, b)", "a BETWEEN b", "a.b = c", "attribute_exists(a"})
    condition(text, R"({"a":{"S":"a"}})");
  EXPECT_EQ(complaints_.size(), 5U) << ::testing::PrintToString(complaints_);
  EXPECT_NE(update("DELETE a :s", "{}", R"({":s":{"S":"x"}})"), "{}");
  EXPECT_NE(update("SET a = :n + :s", "{}", R"({":n":{"N":"1"},":s":{"S":"x"}})"), "{}");
  EXPECT_GE(complaints_.size(), 7U);
}

TEST(DynamoDbNumber, SumsAreExactAndWhatIsFinerIsNotRead) {
  for (const char* const text : {"0", "1", "-1", "12.5", "-0.000001", "9000000000000", "1700000000.123"}) {
    EXPECT_EQ(to_text(read_decimal(text).value()), text);
  }
  EXPECT_EQ(to_text(read_decimal("1.50").value()), "1.5");
  for (const char* const text : {"", "-", ".", "1.", "1e5", "0.1234567", "99999999999999", "--1", "1.-5", "a"}) {
    EXPECT_FALSE(read_decimal(text)) << text;
  }
  Decimal sum;
  for (int i = 0; i < 10; ++i) sum.millionths += read_decimal("0.1")->millionths;
  EXPECT_EQ(to_text(sum), "1");
}

}  // namespace
}  // namespace infra::simulation
