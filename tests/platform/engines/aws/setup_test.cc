// Making a fleet's resources, against services that answer as a test says: what the stand-ins of the other tests can't.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <functional>
#include <string>
#include <vector>

#include "adapters/aws/dynamodb/table_setup.h"
#include "adapters/aws/s3/bucket_setup.h"
#include "adapters/aws/sqs/queue_setup.h"
#include "platform/engines/aws/test_world.h"
#include "support/manual_clock.h"
#include "support/run_task.h"
#include "support/static_credentials.h"

namespace infra::aws {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using State = ResourceReport::State;

struct Asked {
  std::string what;  // "AmazonSQS.CreateQueue", "PUT ?lifecycle"
  std::string body;
  net::Headers headers;
};

net::Response answer(int status, std::string body) {
  return {.status = status, .headers = {}, .body = std::move(body)};
}
net::Response refusal(const std::string& name) {
  return answer(400, fmt::format(R"({{"__type":"x#{}","message":"no"}})", name));
}

class ScriptedHttp final : public net::HttpClient {
 public:
  std::function<net::Response(const Asked&)> answers;
  std::vector<Asked> asked;

  Task<Result<net::Response>> send(net::ClientRequest request) override {
    const auto target = request.headers.find("x-amz-target");
    const auto query = request.url.find('?');
    asked.push_back({.what = target
                                 ? std::string(*target)
                                 : request.method + (query == std::string::npos ? "" : " " + request.url.substr(query)),
                     .body = request.body.empty() ? std::string(request.borrowed_body) : request.body,
                     .headers = request.headers});
    co_return answers(asked.back());
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const Asked& one : asked) all.push_back(one.what);
    return all;
  }
};

class SetupTest : public ::testing::Test {
 protected:
  AwsClient client(const std::string& name, const std::string& region = "eu-central-1") {
    return {
        {.name = name, .region = region, .endpoint = "https://service.example"}, http_, credentials_, clock_, random_};
  }

  ScriptedHttp http_;
  ManualClock clock_;
  simulation::TestSeed random_;
  testing::StaticCredentials credentials_{"AKIDEXAMPLE", "secret"};
};

// --- tables ---

constexpr const char* kLogsTable =
    R"({"Table":{"TableStatus":"ACTIVE","KeySchema":[{"AttributeName":"functionId","KeyType":"HASH"},)"
    R"({"AttributeName":"timestamp","KeyType":"RANGE"}]}})";

class TableSetupTest : public SetupTest {
 protected:
  // What DynamoDB says of expiry: its whole description.
  ResourceReport set_up(const std::string& expiry, OnMissing how) {
    http_.answers = [=](const Asked& asked) {
      if (asked.what.ends_with("DescribeTable")) return answer(200, kLogsTable);
      if (asked.what.ends_with("DescribeTimeToLive"))
        return answer(200, fmt::format(R"({{"TimeToLiveDescription":{}}})", expiry));
      return answer(200, "{}");
    };
    AwsClient dynamodb = client("dynamodb");
    return run_task(set_up_table(
        dynamodb, clock_, {.name = "logs", .hash = "functionId", .range = "timestamp", .ttl = "expiresAt"}, how));
  }
};

TEST_F(TableSetupTest, OneThatExpiresAsItMustIsLeftAlone) {
  const auto report = set_up(R"({"TimeToLiveStatus":"ENABLED","AttributeName":"expiresAt"})", OnMissing::make);
  EXPECT_EQ(report.state, State::ok) << report.detail;
  for (const std::string& name : http_.names()) EXPECT_THAT(name, HasSubstr("Describe"));
}

TEST_F(TableSetupTest, RowsThatStayForEverAreMadeToExpire) {
  const std::string never = R"({"TimeToLiveStatus":"DISABLED"})";
  EXPECT_EQ(set_up(never, OnMissing::check).state, State::differs);
  http_.asked.clear();
  EXPECT_EQ(set_up(never, OnMissing::make).state, State::changed);
  EXPECT_THAT(http_.names().back(), HasSubstr("UpdateTimeToLive"));
  EXPECT_EQ(boost::json::parse(http_.asked.back().body).at("TimeToLiveSpecification").at("AttributeName"), "expiresAt");
}

TEST_F(TableSetupTest, AnotherAttributeOfExpiryIsSomebodysAndIsSaid) {
  const auto report = set_up(R"({"TimeToLiveStatus":"ENABLED","AttributeName":"ttl"})", OnMissing::make);
  EXPECT_EQ(report.state, State::differs);
  EXPECT_THAT(report.detail, HasSubstr("by ttl, not by expiresAt"));
}

// --- queues ---

class QueueSetupTest : public SetupTest {
 protected:
  // Both queues have these attributes, the JSON of an object; empty: there are none.
  std::vector<ResourceReport> set_up(const std::string& attributes, OnMissing how, const std::string& name = "jobs") {
    bool made = !attributes.empty();
    http_.asked.clear();
    http_.answers = [=](const Asked& asked) mutable {
      if (asked.what.ends_with("CreateQueue")) made = true;
      if (asked.what.ends_with("GetQueueUrl") && !made) return refusal("QueueDoesNotExist");
      if (asked.what.ends_with("GetQueueAttributes"))
        return answer(
            200, fmt::format(R"({{"Attributes":{}}})", attributes.empty() ? R"({"QueueArn":"arn:q"})" : attributes));
      return answer(200, R"({"QueueUrl":"https://sqs.example/1/jobs"})");
    };
    AwsClient sqs = client("sqs");
    auto done = run_task(set_up_queues(sqs, name, how));
    EXPECT_EQ(done.url.empty(), !made && how == OnMissing::check);
    return done.reports;
  }
  [[nodiscard]] boost::json::object sent(std::string_view action) const {
    for (const Asked& one : http_.asked) {
      if (one.what.ends_with(action)) return boost::json::parse(one.body).as_object();
    }
    return {};
  }
};

TEST_F(QueueSetupTest, TheDeadLettersComeFirst) {
  EXPECT_EQ(set_up("", OnMissing::check).at(1).state, State::missing);
  EXPECT_TRUE(sent("CreateQueue").empty());
  const auto reports = set_up("", OnMissing::make, "jobs.fifo");
  EXPECT_EQ(reports.at(0).name, "jobs-dead.fifo");
  EXPECT_EQ(reports.at(0).state, State::made);
  EXPECT_EQ(sent("CreateQueue").at("QueueName"), "jobs-dead.fifo");
  EXPECT_EQ(sent("CreateQueue").at("Attributes").at("FifoQueue"), "true");
}

TEST_F(QueueSetupTest, WhatIsEnoughIsLeftAlone) {
  const auto reports =
      set_up(R"({"QueueArn":"arn:q","VisibilityTimeout":"60","MessageRetentionPeriod":"1209600",)"
             R"("RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:other\",\"maxReceiveCount\":\"1000\"}"})",
             OnMissing::make);
  EXPECT_EQ(reports.at(0).state, State::ok) << reports.at(0).detail;
  EXPECT_EQ(reports.at(1).state, State::ok) << reports.at(1).detail;
  EXPECT_TRUE(sent("SetQueueAttributes").empty());
}

TEST_F(QueueSetupTest, ALowCountOfReceivesWouldLoseJobs) {
  const std::string few = R"({"QueueArn":"arn:q","VisibilityTimeout":"30","MessageRetentionPeriod":"1209600",)"
                          R"("RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:other\",\"maxReceiveCount\":3}"})";
  EXPECT_EQ(set_up(few, OnMissing::check).at(1).state, State::differs);
  EXPECT_EQ(set_up(few, OnMissing::make).at(1).state, State::changed);
  const auto attributes = sent("SetQueueAttributes").at("Attributes").as_object();
  EXPECT_EQ(attributes.size(), 1U);
  EXPECT_THAT(std::string(attributes.at("RedrivePolicy").as_string()), HasSubstr("\"maxReceiveCount\":1000"));
}

// --- the bucket ---

constexpr std::string_view kRule = "<Rule><ID>{}</ID><Status>Enabled</Status></Rule>";

std::string rules_named(const std::vector<std::string>& names) {
  std::string xml = "<LifecycleConfiguration>";
  for (const std::string& name : names) xml += fmt::format(fmt::runtime(kRule), name);
  return xml + "</LifecycleConfiguration>";
}

class BucketSetupTest : public SetupTest {
 protected:
  // The rules that it has, as a document; empty: none.
  std::vector<ResourceReport> set_up(std::string rules, OnMissing how, const std::string& region = "eu-central-1",
                                     bool is_there = true) {
    http_.asked.clear();
    http_.answers = [=](const Asked& asked) mutable {
      if (asked.what == "HEAD") return answer(is_there ? 200 : 404, "");
      if (asked.what == "GET ?lifecycle")
        return rules.empty() ? answer(404, "<Error><Code>NoSuchLifecycleConfiguration</Code></Error>")
                             : answer(200, rules);
      if (asked.what == "PUT ?lifecycle") rules = asked.body;
      return answer(200, "");
    };
    AwsClient s3 = client("s3", region);
    return run_task(set_up_bucket(s3, "bucket", how));
  }
};

TEST_F(BucketSetupTest, ItIsMadeInItsRegionWithItsRules) {
  auto reports = set_up("", OnMissing::make, "eu-central-1", false);
  EXPECT_EQ(reports.at(0).state, State::made);
  EXPECT_EQ(reports.at(1).state, State::made) << reports.at(1).detail;
  EXPECT_THAT(http_.names(), ElementsAre("HEAD", "PUT", "GET ?lifecycle", "PUT ?lifecycle", "GET ?lifecycle"));
  EXPECT_THAT(http_.asked.at(1).body, HasSubstr("<LocationConstraint>eu-central-1<"));
  EXPECT_TRUE(http_.asked.at(3).headers.find("x-amz-checksum-sha256").has_value()) << "S3 asks for it";
  EXPECT_THAT(http_.asked.at(3).body, HasSubstr("<Prefix>payloads/</Prefix>"));
  (void)set_up("", OnMissing::make, "us-east-1", false);
  EXPECT_THAT(http_.asked.at(1).body, IsEmpty()) << "that region is not to be named";
}

TEST_F(BucketSetupTest, RulesOfOthersAreLeftAlone) {
  const auto reports = set_up(rules_named({"results", "archive-of-somebody"}), OnMissing::make);
  EXPECT_EQ(reports.at(1).state, State::differs);
  EXPECT_THAT(reports.at(1).detail, HasSubstr("payloads, outputs, retired-code, uploads"));
  EXPECT_THAT(http_.names(), ElementsAre("HEAD", "GET ?lifecycle"));
}

TEST_F(BucketSetupTest, OursAreCompleted) {
  EXPECT_EQ(set_up(rules_named({"results"}), OnMissing::check).at(1).state, State::differs);
  EXPECT_EQ(set_up(rules_named({"results"}), OnMissing::make).at(1).state, State::changed);
  const std::vector<std::string> all{"results", "payloads", "outputs", "retired-code", "uploads"};
  EXPECT_EQ(set_up(rules_named(all), OnMissing::make).at(1).state, State::ok);
  EXPECT_EQ(set_up(rules_named({all[0], all[1], all[2], all[3], all[4], "of-somebody"}), OnMissing::check).at(1).state,
            State::ok);
}

}  // namespace
}  // namespace infra::aws
