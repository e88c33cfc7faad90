// The simulated SQS as its documentation has it: what a queue promises while nothing befalls it, and each fault alone,
// with its bound.
#include "platform/engines/aws/simulated_sqs.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "platform/engines/aws/test_world.h"

namespace infra::simulation {
namespace {

namespace json = boost::json;
using std::chrono::seconds;

struct Got {
  std::string id, body, receipt;
  int receives = 0;
};

class SimulatedSqsTest : public ::testing::Test {
 protected:
  json::object ask(const std::string& action, json::object fields, const std::string& queue = "") {
    fields["QueueUrl"] = queue.empty() ? url_ : queue;
    const auto answer = world_.ask("AmazonSQS." + action, fields);
    EXPECT_TRUE(answer);
    return answer ? fields_of(*answer) : json::object{};
  }
  void send(int count, const std::string& queue = "") {
    for (int i = 0; i < count; ++i) ask("SendMessage", {{"MessageBody", fmt::format("m{:02}", i)}}, queue);
  }
  std::vector<Got> receive(int most = 10, int wait = 0, const std::string& queue = "") {
    const auto answer = ask("ReceiveMessage",
                            {{"MaxNumberOfMessages", most},
                             {"WaitTimeSeconds", wait},
                             {"VisibilityTimeout", 30},
                             {"MessageSystemAttributeNames", json::array{"ApproximateReceiveCount"}}},
                            queue);
    std::vector<Got> got;
    if (!answer.contains("Messages")) return got;
    for (const auto& message : answer.at("Messages").as_array()) {
      got.push_back(
          {.id = std::string(message.at("MessageId").as_string()),
           .body = std::string(message.at("Body").as_string()),
           .receipt = std::string(message.at("ReceiptHandle").as_string()),
           .receives = std::stoi(std::string(message.at("Attributes").at("ApproximateReceiveCount").as_string()))});
    }
    return got;
  }
  // Until nothing comes any more; deleting what came.
  std::vector<std::string> drain(const std::string& queue = "") {
    std::vector<std::string> bodies;
    for (auto got = receive(10, 0, queue); !got.empty(); got = receive(10, 0, queue)) {
      for (const auto& message : got) {
        bodies.push_back(message.body);
        ask("DeleteMessage", {{"ReceiptHandle", message.receipt}}, queue);
      }
    }
    return bodies;
  }
  std::string change(const std::string& receipt, int visibility) {
    const auto answer = ask("ChangeMessageVisibility", {{"ReceiptHandle", receipt}, {"VisibilityTimeout", visibility}});
    return answer.contains("__type") ? std::string(answer.at("__type").as_string()) : "";
  }
  static std::set<std::string> distinct(const std::vector<std::string>& bodies) {
    return {bodies.begin(), bodies.end()};
  }
  SqsFaults& faults() { return world_.aws.faults().sqs; }

  SteppedAwsWorld world_;
  const std::string url_ = world_.aws.sqs().make_queue("jobs");
};

TEST_F(SimulatedSqsTest, AMessageIsBackWhenItsVisibilityEnds) {
  send(1);
  const auto first = receive();
  ASSERT_EQ(first.size(), 1U);
  world_.pass(seconds{20});
  EXPECT_EQ(change(first[0].receipt, 30), "");
  world_.pass(seconds{29});
  EXPECT_TRUE(receive().empty());
  world_.pass(seconds{1});
  const auto again = receive();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].id, first[0].id);
  EXPECT_EQ(again[0].receives, 2);
  EXPECT_EQ(change(first[0].receipt, 30), "com.amazonaws.sqs#InvalidParameterValue");
  EXPECT_TRUE(ask("DeleteMessage", {{"ReceiptHandle", first[0].receipt}}).empty());  // and deletes nothing
  EXPECT_EQ(change(again[0].receipt, 0), "");
  EXPECT_EQ(receive().size(), 1U);
  EXPECT_EQ(change("nonsense", 0), "com.amazonaws.sqs#ReceiptHandleIsInvalid");
}

TEST_F(SimulatedSqsTest, NoMessageIsInFlightForMoreThanTwelveHours) {
  send(1);
  const auto got = receive();
  for (int hour = 0; hour < 11; ++hour) {
    ASSERT_EQ(change(got[0].receipt, 3600), "") << hour;
    world_.pass(seconds{3599});
  }
  EXPECT_NE(change(got[0].receipt, 2 * 3600), "");
}

TEST_F(SimulatedSqsTest, APollWaitsForAMessageAndNoLonger) {
  SteadyTime before = world_.clock.steady_now();
  EXPECT_TRUE(receive(10, 5).empty());
  EXPECT_EQ(world_.clock.steady_now() - before, seconds{5});
  send(1);
  receive();
  before = world_.clock.steady_now();
  world_.pass(seconds{25});
  EXPECT_EQ(receive(10, 20).size(), 1U);  // its visibility ends meanwhile
  EXPECT_EQ(world_.clock.steady_now() - before, seconds{30});
}

TEST_F(SimulatedSqsTest, WhatWasReceivedTooOftenIsADeadLetter) {
  const auto dead = world_.aws.sqs().make_queue("dead");
  const auto url = world_.aws.sqs().make_queue("fussy", {.dead_letters = "dead", .max_receives = 3});
  send(1, url);
  for (int i = 1; i <= 3; ++i) {
    ASSERT_EQ(receive(10, 0, url).size(), 1U) << i;
    world_.pass(seconds{30});
  }
  EXPECT_TRUE(receive(10, 0, url).empty());
  EXPECT_EQ(receive(10, 0, dead).size(), 1U);
}

TEST_F(SimulatedSqsTest, AGroupOfAFifoQueueIsInOrderOneAfterTheOther) {
  const auto url = world_.aws.sqs().make_queue("jobs.fifo", {.fifo = true});
  const auto put = [&](const std::string& group, const std::string& body) {
    ask("SendMessage", {{"MessageBody", body}, {"MessageGroupId", group}, {"MessageDeduplicationId", body}}, url);
  };
  for (const char* body : {"a1", "a2", "a3"}) put("a", body);
  put("b", "b1");
  put("a", "a1");  // known already
  const auto first = receive(1, 0, url);
  EXPECT_EQ(first.at(0).body, "a1");
  EXPECT_EQ(receive(10, 0, url).at(0).body, "b1");
  EXPECT_TRUE(receive(10, 0, url).empty());
  ask("DeleteMessage", {{"ReceiptHandle", first[0].receipt}}, url);
  const auto rest = receive(10, 0, url);
  ASSERT_EQ(rest.size(), 2U);
  EXPECT_EQ(rest[0].body, "a2");
  world_.pass(seconds{30});
  EXPECT_FALSE(ask("DeleteMessage", {{"ReceiptHandle", rest[0].receipt}}, url).empty());  // too late for a FIFO queue
  world_.pass(std::chrono::minutes{5});
  put("a", "a1");  // new again
  EXPECT_EQ(world_.aws.sqs().queue_at(url).messages().size(), 4U);
  EXPECT_TRUE(ask("SendMessage", {{"MessageBody", "x"}}, url).contains("__type"));  // without a group
}

TEST_F(SimulatedSqsTest, WhatBreaksItsLimitsIsRefused) {
  const auto refused = [&](const std::string& action, const json::object& fields) {
    const auto answer = ask(action, fields);
    return answer.contains("__type") ? std::string(answer.at("__type").as_string()).substr(18) : "";
  };
  EXPECT_EQ(refused("SendMessage", {{"MessageBody", std::string(256 * 1024 + 1, 'x')}}), "InvalidParameterValue");
  EXPECT_EQ(refused("SendMessage", {{"MessageBody", "a\x01"}}), "InvalidMessageContents");
  EXPECT_EQ(refused("SendMessage", {{"MessageBody", "\xEF\xBF\xBF"}}), "InvalidMessageContents");
  EXPECT_EQ(refused("SendMessage", {{"MessageBody", "\t\xC3\xA4\xF0\x9F\x98\x80"}}), "");
  EXPECT_EQ(refused("ReceiveMessage", {{"MaxNumberOfMessages", 11}}), "InvalidParameterValue");
  EXPECT_EQ(refused("ReceiveMessage", {{"WaitTimeSeconds", 21}}), "InvalidParameterValue");
  json::array many;
  for (int i = 0; i < 11; ++i) many.push_back({{"Id", std::to_string(i)}, {"MessageBody", "x"}});
  EXPECT_EQ(refused("SendMessageBatch", {{"Entries", many}}), "TooManyEntriesInBatchRequest");
  const json::object big{{"Id", "a"}, {"MessageBody", std::string(200'000, 'x')}};
  json::object other = big;
  other["Id"] = "b";
  EXPECT_EQ(refused("SendMessageBatch", {{"Entries", json::array{big, other}}}), "BatchRequestTooLong");
  EXPECT_EQ(refused("SendMessageBatch", {{"Entries", json::array{big, big}}}), "BatchEntryIdsNotDistinct");
  EXPECT_TRUE(world_.complaints.empty());
}

TEST_F(SimulatedSqsTest, AMessageGoesWhenItsRetentionEnds) {
  send(1);
  world_.pass(std::chrono::days{14} - seconds{1});
  EXPECT_EQ(world_.aws.sqs().queue_at(url_).visible(), 1U);
  world_.pass(seconds{1});
  EXPECT_EQ(world_.aws.sqs().queue_at(url_).visible(), 0U);
}

TEST_F(SimulatedSqsTest, AMessageIsCopiedOnceAtMost) {
  faults().copied = 0.5;
  send(40);
  const auto all = drain();
  EXPECT_EQ(distinct(all).size(), 40U);
  EXPECT_GT(all.size(), 50U);
  EXPECT_LT(all.size(), 72U);
  faults() = {};
  faults().copied = faults().twice_at_once = faults().undeleted = 1;
  send(10);
  auto bodies = drain();
  world_.pass(seconds{30});
  const auto back = drain();  // those whose deletion did not hold
  EXPECT_FALSE(back.empty());
  bodies.insert(bodies.end(), back.begin(), back.end());
  EXPECT_EQ(distinct(bodies).size(), 10U);
  EXPECT_LE(bodies.size(), 40U);
  world_.pass(seconds{30});
  EXPECT_TRUE(drain().empty());
}

TEST_F(SimulatedSqsTest, TwoReceiversGetAMessageAtOnce) {
  faults().twice_at_once = 1;
  send(1);
  const auto one = receive();
  const auto two = receive();
  ASSERT_EQ(one.size() + two.size(), 2U);
  EXPECT_EQ(one[0].id, two[0].id);
  EXPECT_NE(one[0].receipt, two[0].receipt);
  EXPECT_EQ(change(one[0].receipt, 30), "");
  EXPECT_EQ(change(two[0].receipt, 30), "");
  EXPECT_TRUE(receive().empty());
}

TEST_F(SimulatedSqsTest, OrderIsLostOnlyWhereItIsNotPromised) {
  send(20);
  const auto in_order = drain();
  EXPECT_TRUE(std::ranges::is_sorted(in_order));
  faults().reordered = 1;
  send(20);
  auto mixed = drain();
  EXPECT_FALSE(std::ranges::is_sorted(mixed));
  std::ranges::sort(mixed);
  EXPECT_EQ(mixed, in_order);
}

TEST_F(SimulatedSqsTest, AMessageMayBeVisibleLater) {
  faults().delayed = 1;
  faults().delay_most = seconds{3};
  send(5);
  EXPECT_TRUE(receive().empty());
  world_.pass(seconds{3});
  EXPECT_EQ(receive().size(), 5U);
}

TEST_F(SimulatedSqsTest, AReceiptMayBeForgotten) {
  send(1);
  const auto got = receive();
  faults().forgotten = 1;
  EXPECT_EQ(change(got[0].receipt, 30), "com.amazonaws.sqs#ReceiptHandleIsInvalid");
  faults() = {};
  EXPECT_NE(change(got[0].receipt, 30), "");  // for good
  world_.pass(seconds{30});
  EXPECT_EQ(drain().size(), 1U);
}

TEST_F(SimulatedSqsTest, AShortPollMayFindNothingAndAnyPollLess) {
  send(10);
  faults().empty_poll = 1;
  EXPECT_TRUE(receive(10, 0).empty());
  EXPECT_EQ(receive(1, 1).size(), 1U);  // one that waits asks all servers
  faults() = {};
  faults().short_poll = 1;
  const auto few = receive();
  EXPECT_GE(few.size(), 1U);
  EXPECT_LT(few.size(), 9U);
}

TEST_F(SimulatedSqsTest, EntriesOfABatchFailAlone) {
  faults().entry_failed = 0.3;
  faults().entry_throttled = 0.2;
  std::map<std::string, int> outcomes;
  for (int i = 0; i < 20; ++i) {
    json::array entries;
    for (int j = 0; j < 10; ++j)
      entries.push_back({{"Id", std::to_string(j)}, {"MessageBody", fmt::format("{}-{}", i, j)}});
    const auto answer = ask("SendMessageBatch", {{"Entries", entries}});
    if (answer.contains("Successful")) outcomes["good"] += static_cast<int>(answer.at("Successful").as_array().size());
    if (!answer.contains("Failed")) continue;
    for (const auto& failed : answer.at("Failed").as_array()) ++outcomes[std::string(failed.at("Code").as_string())];
  }
  EXPECT_EQ(outcomes["good"] + outcomes["InternalError"] + outcomes["RequestThrottled"], 200);
  EXPECT_GT(outcomes["InternalError"], 20);
  EXPECT_GT(outcomes["RequestThrottled"], 15);
  const int stored = static_cast<int>(world_.aws.sqs().queue_at(url_).messages().size());
  EXPECT_GT(stored, outcomes["good"]);  // some that failed were carried out
  EXPECT_LT(stored, outcomes["good"] + outcomes["InternalError"]);
}

TEST_F(SimulatedSqsTest, APollThatWasLeftMayTakeAMessageWithIt) {
  faults().abandoned_poll = 1;
  auto request = world_.request("AmazonSQS.ReceiveMessage", {{"QueueUrl", url_}, {"WaitTimeSeconds", 20}});
  request.timeout = seconds{5};
  EXPECT_EQ(SteppedAwsWorld::outcome(world_.run(world_.http.send(std::move(request)))), "http_timeout");
  send(2);
  EXPECT_EQ(receive().size(), 1U);  // the first one nobody has
  world_.pass(seconds{30});
  EXPECT_EQ(receive().size(), 2U);
}

TEST_F(SimulatedSqsTest, CountsMayBeOffByOne) {
  send(3);
  faults().miscounted = 1;
  const auto answer = ask("GetQueueAttributes", {{"AttributeNames", json::array{"ApproximateNumberOfMessages"}}});
  EXPECT_EQ(answer.at("Attributes").at("ApproximateNumberOfMessages"), "2");
}

}  // namespace
}  // namespace infra::simulation
