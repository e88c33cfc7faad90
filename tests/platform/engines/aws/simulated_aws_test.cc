// What befalls requests between a process and the simulated AWS: nothing unless it is asked for, and then as
// net::HttpClient says it, each within its bounds.
#include "platform/engines/aws/simulated_aws.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "core/operator_error_codes.h"
#include "platform/engines/aws/test_world.h"

namespace infra::simulation {
namespace {

namespace json = boost::json;
using std::chrono::seconds;

class SimulatedAwsTest : public ::testing::Test {
 protected:
  json::object message(int i) const { return {{"QueueUrl", url_}, {"MessageBody", fmt::format("m{}", i)}}; }
  // Sends so many messages; what came of each kind of outcome.
  std::map<std::string, int> send(int count) {
    std::map<std::string, int> outcomes;
    for (int i = 0; i < count; ++i) {
      ++outcomes[SteppedAwsWorld::outcome(world_.ask("AmazonSQS.SendMessage", message(i)))];
    }
    return outcomes;
  }
  std::size_t stored() { return world_.aws.sqs().queue_at(url_).messages().size(); }
  SqsFaults& faults() { return world_.aws.faults().sqs; }

  SteppedAwsWorld world_;
  const std::string url_ = world_.aws.sqs().make_queue("jobs");
};

TEST_F(SimulatedAwsTest, NothingBefallsARequestThatIsNotAskedFor) {
  const SteadyTime before = world_.clock.steady_now();
  EXPECT_EQ(send(100), (std::map<std::string, int>{{"200", 100}}));
  EXPECT_EQ(stored(), 100U);
  EXPECT_EQ(world_.clock.steady_now(), before);
}

TEST_F(SimulatedAwsTest, WithoutAConnectionNothingIsSent) {
  faults().unreachable = 1;
  EXPECT_EQ(send(20), (std::map<std::string, int>{{"http_unreachable", 20}}));
  faults().unreachable = 0.5;
  const auto some = send(100);
  EXPECT_GT(some.at("http_unreachable"), 25);
  EXPECT_TRUE(std::cmp_equal(stored(), some.at("200")));
}

TEST_F(SimulatedAwsTest, WhatIsCutIsCarriedOutOrNot) {
  faults().cut = 1;
  EXPECT_EQ(send(100), (std::map<std::string, int>{{"http_unavailable", 100}}));
  EXPECT_GT(stored(), 25U);
  EXPECT_LT(stored(), 75U);
}

TEST_F(SimulatedAwsTest, WhatIsNeverAnsweredTakesItsTimeAndMayComeLate) {
  faults().silent = 1;
  faults().late_most = seconds{30};
  const SteadyTime begun = world_.clock.steady_now();
  for (int i = 0; i < 60; ++i) {
    const SteadyTime before = world_.clock.steady_now();
    auto again = world_.request("AmazonSQS.SendMessage", message(i));
    again.timeout = milliseconds{100};
    EXPECT_EQ(SteppedAwsWorld::outcome(world_.run(world_.http.send(std::move(again)))), "http_timeout");
    EXPECT_EQ(world_.clock.steady_now() - before, milliseconds{100});
  }
  EXPECT_EQ(world_.clock.steady_now() - begun, seconds{6});
  const auto early = stored();
  EXPECT_GT(early, 10U);
  world_.pass(seconds{30});
  const auto late = stored();
  EXPECT_GT(late, early);
  EXPECT_LT(late, 55U);
  world_.pass(seconds{600});
  EXPECT_EQ(stored(), late);
}

TEST_F(SimulatedAwsTest, EveryServiceRefusesWhatIsTooMuchInItsOwnWords) {
  auto& all = world_.aws.faults();
  all.sqs.throttled = all.dynamodb.throttled = all.s3.throttled = 1;
  const auto sqs = world_.ask("AmazonSQS.SendMessage", message(0));
  EXPECT_EQ(fields_of(*sqs).at("__type"), "com.amazonaws.sqs#RequestThrottled");
  EXPECT_EQ(stored(), 0U);
  const auto dynamodb = world_.ask("DynamoDB_20120810.Scan", {{"TableName", "t"}});
  EXPECT_EQ(dynamodb->status, 400);
  EXPECT_EQ(fields_of(*dynamodb).at("__type"),
            "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException");
  const auto s3 = world_.ask_s3("GET", "/b/k");
  EXPECT_EQ(s3->status, 503);
  EXPECT_NE(s3->body.find("<Code>SlowDown</Code>"), std::string::npos);
}

TEST_F(SimulatedAwsTest, AFailureComesBeforeOrAfterTheEffect) {
  faults().failed = 1;
  EXPECT_EQ(send(10), (std::map<std::string, int>{{"500", 10}}));
  EXPECT_EQ(stored(), 0U);
  faults() = {};
  faults().failed_after = 1;
  EXPECT_EQ(send(10), (std::map<std::string, int>{{"500", 10}}));
  EXPECT_EQ(stored(), 10U);
}

TEST_F(SimulatedAwsTest, RequestsTakeTheirTime) {
  faults().latency_least = milliseconds{5};
  faults().latency_most = milliseconds{20};
  std::set<SteadyTime::duration> taken;
  for (int i = 0; i < 50; ++i) {
    const SteadyTime before = world_.clock.steady_now();
    ASSERT_TRUE(world_.ask("AmazonSQS.SendMessage", message(i)));
    taken.insert(world_.clock.steady_now() - before);
  }
  EXPECT_GE(*taken.begin(), milliseconds{5});
  EXPECT_LE(*taken.rbegin(), milliseconds{20});
  EXPECT_GT(taken.size(), 5U);
  faults().slow = 1;
  faults().slow_most = seconds{40};
  const auto slow = send(20);
  EXPECT_GT(slow.at("http_timeout"), 3);  // after 10 s
  EXPECT_GT(slow.at("200"), 1);
}

TEST_F(SimulatedAwsTest, AnAnswersBodyMayEndInItsMiddle) {
  world_.aws.s3().make_bucket("b");
  const std::string bytes(100'000, 'x');
  ASSERT_EQ(world_.ask_s3("PUT", "/b/k", bytes)->status, 200);
  world_.aws.faults().s3.cut_body = 0.5;
  int cut = 0;
  for (int i = 0; i < 40; ++i) {
    std::string got;
    int heads = 0;
    auto request = world_.request("s3", "GET", "/b/k");
    request.on_body = [&](std::string_view piece) {
      got += piece;
      return true;
    };
    request.on_header = [&](const net::Response& head) { heads += head.status == 200 ? 1 : 0; };
    const auto answer = world_.run(world_.http.send(std::move(request)));
    EXPECT_EQ(heads, 1);
    if (answer) {
      EXPECT_EQ(got, bytes);
      EXPECT_TRUE(answer->body.empty());
    } else {
      EXPECT_EQ(answer.error().code, "http_unavailable");
      EXPECT_LT(got.size(), bytes.size());
      ++cut;
    }
  }
  EXPECT_GT(cut, 8);
  EXPECT_LT(cut, 32);
}

TEST_F(SimulatedAwsTest, NoMoreOfABodyIsTakenThanIsWanted) {
  world_.aws.s3().make_bucket("b");
  ASSERT_EQ(world_.ask_s3("PUT", "/b/k", std::string(100, 'x'))->status, 200);
  auto request = world_.request("s3", "GET", "/b/k");
  request.max_response_bytes = 99;
  EXPECT_EQ(SteppedAwsWorld::outcome(world_.run(world_.http.send(std::move(request)))), "http_too_large");
  request = world_.request("s3", "GET", "/b/k");
  request.on_body = [](std::string_view) { return false; };
  EXPECT_EQ(SteppedAwsWorld::outcome(world_.run(world_.http.send(std::move(request)))), "http_unavailable");
}

Task<void> keep_outcome(SimulatedHttpClient& http, net::ClientRequest request, std::string& outcome) {
  outcome = SteppedAwsWorld::outcome(co_await http.send(std::move(request)));
}

TEST_F(SimulatedAwsTest, AProcessThatCrashedChangesNothingMore) {
  faults().latency_least = faults().latency_most = milliseconds{20};
  std::vector<std::string> outcomes(100);
  for (int i = 0; i < 100; ++i) {
    world_.spawn(keep_outcome(world_.http, world_.request("AmazonSQS.SendMessage", message(i)),
                              outcomes[static_cast<std::size_t>(i)]));
  }
  world_.run_ready();
  world_.http.crash();
  const auto at_once = stored();
  EXPECT_GT(at_once, 20U);  // what was under way, as the seed says
  EXPECT_LT(at_once, 80U);
  world_.pass(seconds{60});
  EXPECT_EQ(stored(), at_once);
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome, "http_unavailable");
  EXPECT_EQ(send(5), (std::map<std::string, int>{{"http_unreachable", 5}}));
  SimulatedHttpClient another(world_.aws, world_.clock);
  EXPECT_TRUE(world_.run(another.send(world_.request("AmazonSQS.SendMessage", message(0)))));
  EXPECT_EQ(stored(), at_once + 1);
}

TEST_F(SimulatedAwsTest, AWaitingPollEndsWithItsProcess) {
  std::string outcome;
  world_.spawn(keep_outcome(
      world_.http, world_.request("AmazonSQS.ReceiveMessage", {{"QueueUrl", url_}, {"WaitTimeSeconds", 20}}), outcome));
  world_.run_ready();
  EXPECT_EQ(outcome, "");
  world_.http.crash();
  world_.run_ready();
  EXPECT_EQ(outcome, "http_unavailable");
}

TEST_F(SimulatedAwsTest, CallsUnderWayMayBeDestroyed) {
  std::string outcome;
  {
    boost::asio::io_context other;
    SteppedExecutor executor(other);
    executor.spawn(
        "test", keep_outcome(world_.http,
                             world_.request("AmazonSQS.ReceiveMessage", {{"QueueUrl", url_}, {"WaitTimeSeconds", 20}}),
                             outcome));
    other.poll();
    faults().latency_least = faults().latency_most = milliseconds{20};
    for (int i = 0; i < 10; ++i)
      executor.spawn("test", keep_outcome(world_.http, world_.request("AmazonSQS.SendMessage", message(i)), outcome));
    other.restart();
    other.poll();
  }
  faults() = {};
  const auto before = stored();
  EXPECT_LT(before, 5U);  // at the service when they were destroyed
  EXPECT_EQ(send(1), (std::map<std::string, int>{{"200", 1}}));
  world_.pass(seconds{30});
  world_.http.crash();
  EXPECT_EQ(stored(), before + 1);
  EXPECT_EQ(outcome, "");
}

TEST_F(SimulatedAwsTest, WhatIsNotSignedOrOfAnotherTimeIsRefused) {
  auto request = world_.request("AmazonSQS.SendMessage", message(0));
  request.headers = {};
  request.headers.add("X-Amz-Target", "AmazonSQS.SendMessage");
  EXPECT_EQ(SteppedAwsWorld::outcome(world_.run(world_.http.send(std::move(request)))), "403");
  request = world_.request("AmazonSQS.SendMessage", message(0));
  request.headers.set("x-amz-date", "20261122T235400Z");
  const auto answer = world_.run(world_.http.send(std::move(request)));
  EXPECT_EQ(fields_of(*answer).at("__type"), "com.amazonaws.sqs#InvalidSignatureException");
  EXPECT_EQ(answer->headers.find("Date"), "Mon, 23 Nov 2026 00:00:00 GMT");
  EXPECT_EQ(stored(), 0U);
}

TEST_F(SimulatedAwsTest, AMachineWhoseClockIsWrongLearnsTheTimeFromTheRefusal) {
  ManualClock fast;
  fast.advance(std::chrono::minutes{20});
  testing::StaticCredentials credentials{"AKIDEXAMPLE", "secret"};
  SimulatedHttpClient http(world_.aws, fast);
  aws::AwsClient sqs(
      {.name = "sqs", .region = std::string(SimulatedAws::kRegion), .endpoint = SimulatedAws::endpoint("sqs")}, http,
      credentials, fast, world_.random);
  EXPECT_TRUE(world_.run(sqs.call_json("AmazonSQS.SendMessage", message(1), aws::Repeat::safe)));
  EXPECT_EQ(stored(), 1U);
}

TEST_F(SimulatedAwsTest, WhatIsNotSimulatedIsSaidAloud) {
  EXPECT_EQ(SteppedAwsWorld::outcome(world_.ask("AmazonSQS.PurgeQueue", {{"QueueUrl", url_}})), "400");
  (void)world_.ask("DynamoDB_20120810.DescribeTable", {{"TableName", "t"}});
  world_.aws.dynamodb().make_table("t", SimulatedDynamoDb::functions_table());
  (void)world_.ask("DynamoDB_20120810.TransactWriteItems", {{"TableName", "t"}});
  world_.aws.s3().make_bucket("b");
  (void)world_.ask_s3("GET", "/b?list-type=2");
  auto elsewhere = world_.request("s3", "GET", "/");
  elsewhere.url = "http://169.254.169.254/latest/api/token";
  (void)world_.run(world_.http.send(std::move(elsewhere)));
  EXPECT_EQ(world_.complaints.size(), 4U) << ::testing::PrintToString(world_.complaints);
}

// Every choice comes from the seed.
std::vector<std::string> story_of(std::uint64_t seed) {
  SteppedAwsWorld world(seed);
  const std::string url = world.aws.sqs().make_queue("jobs");
  auto& faults = world.aws.faults().sqs;
  faults.cut = faults.silent = faults.throttled = faults.failed_after = faults.copied = faults.delayed = 0.1;
  faults.reordered = 0.5;
  faults.latency_most = milliseconds{50};
  std::vector<std::string> story;
  for (int i = 0; i < 50; ++i) {
    const auto sent = world.ask("AmazonSQS.SendMessage", {{"QueueUrl", url}, {"MessageBody", fmt::format("m{}", i)}});
    story.push_back(SteppedAwsWorld::outcome(sent));
    const auto got = world.ask("AmazonSQS.ReceiveMessage", {{"QueueUrl", url}, {"WaitTimeSeconds", 1}});
    story.push_back(fmt::format("{} {}", (world.clock.steady_now() - SteadyTime{}).count(), got ? got->body : ""));
  }
  return story;
}

TEST(SimulatedAwsSeed, ASeedRepeatsItselfToTheLetter) {
  const auto first = story_of(7);
  EXPECT_EQ(story_of(7), first);
  EXPECT_NE(story_of(8), first);
}

}  // namespace
}  // namespace infra::simulation
