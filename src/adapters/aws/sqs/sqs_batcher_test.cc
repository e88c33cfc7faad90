// How many requests a burst of changes costs, that a lone one waits for nobody, and that each one learns its own fate.
#include "adapters/aws/sqs/sqs_batcher.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "adapters/aws/sqs/test_sqs_world.h"
#include "core/mutex.h"

namespace infra::aws {
namespace {

namespace json = boost::json;
using testing::sqs_answer;
using testing::sqs_refusal;
using testing::SqsCall;
using testing::SqsTestServer;

class SqsBatcherTest : public testing::SqsTestWorld {
 protected:
  // Many changes at once; what came of each, by its body.
  class Burst {
   public:
    void finish(const std::string& body, Result<void> outcome) {
      const MutexLock lock(mutex_);
      outcomes_.emplace(body, std::move(outcome));
      changed_.notify_all();
    }
    std::map<std::string, Result<void>> await(std::size_t count) {
      const MutexLock lock(mutex_);
      while (outcomes_.size() < count) changed_.wait(mutex_);
      return outcomes_;
    }

   private:
    Mutex mutex_;
    CondVar changed_;
    std::map<std::string, Result<void>> outcomes_ INFRA_GUARDED_BY(mutex_);
  };

  static json::object entry(const std::string& body) { return {{"MessageBody", body}}; }
  static Task<void> submit(SqsBatcher& batcher, std::string body, std::size_t bytes, Burst& burst) {
    auto outcome = co_await batcher.submit(entry(body), bytes);
    burst.finish(body, std::move(outcome));
  }
  void start(const std::string& body, std::size_t bytes = 100) {
    loops.spawn("test", submit(sends, body, bytes, burst));
  }
  // Two requests in flight, held at the server: from now on changes wait for company.
  void occupy() {
    server.hold();
    start("first");
    start("second");
    server.await_calls(2);
  }
  static std::vector<std::string> bodies(const std::vector<SqsCall>& batches) {
    std::vector<std::string> all;
    for (const auto& batch : batches) {
      for (const auto& item : batch.body.at("Entries").as_array()) all.emplace_back(item.at("MessageBody").as_string());
    }
    return all;
  }

  SqsBatcher sends{
      sqs, "http://queue/1/jobs", clock, executor, {.action = "SendMessageBatch", .single_action = "SendMessage"}};
  SqsBatcher deletes{sqs, "http://queue/1/jobs", clock, executor, {.action = "DeleteMessageBatch"}};
  Burst burst;
};

TEST_F(SqsBatcherTest, ALoneChangeGoesOutAtOnceOnAClockThatStandsStill) {
  for (const char* body : {"a", "b", "c"}) ASSERT_TRUE(run(sends.submit(entry(body), 1)));
  EXPECT_EQ(server.calls("SendMessage").size(), 3U);
  EXPECT_EQ(server.count(), 3U);
  EXPECT_EQ(server.calls("SendMessage")[0].body,
            (json::object{{"MessageBody", "a"}, {"QueueUrl", "http://queue/1/jobs"}}));
}

TEST_F(SqsBatcherTest, ABurstCostsFewRequests) {
  occupy();
  for (int i = 0; i < 38; ++i) start(fmt::format("job-{}", i));
  server.await_calls(2 + 3);  // full ones wait for nobody
  clock.await_sleepers(8);    // the rest waits for company
  EXPECT_EQ(server.count(), 5U);
  server.release();
  const auto outcomes = burst.await(40);
  for (const auto& [body, outcome] : outcomes) EXPECT_TRUE(outcome) << body;
  EXPECT_EQ(server.calls("SendMessage").size(), 2U);
  const auto batches = server.calls("SendMessageBatch");
  EXPECT_EQ(batches.size(), 4U);
  const auto sent = bodies(batches);
  EXPECT_EQ(sent.size(), 38U);
  EXPECT_EQ(std::set<std::string>(sent.begin(), sent.end()).size(), 38U);
}

TEST_F(SqsBatcherTest, NobodyWaitsLongerThanTheLinger) {
  occupy();
  start("third");
  start("fourth");
  clock.await_sleepers(2);
  EXPECT_EQ(server.count(), 2U);
  clock.advance(milliseconds{1});
  server.await_calls(3);  // while the first two are still on their way
  server.release();
  EXPECT_TRUE(burst.await(4).at("fourth"));
  auto sent = bodies(server.calls("SendMessageBatch"));
  std::ranges::sort(sent);
  EXPECT_EQ(sent, (std::vector<std::string>{"fourth", "third"}));
}

TEST_F(SqsBatcherTest, ARequestStaysUnderTheLimitInBytes) {
  occupy();
  for (int i = 0; i < 4; ++i) start(fmt::format("big-{}", i), 100 * 1024);
  server.await_calls(2 + 1);  // two fit, the third made it full
  clock.await_sleepers(2);
  server.release();
  burst.await(6);
  for (const auto& batch : server.calls("SendMessageBatch")) EXPECT_EQ(batch.body.at("Entries").as_array().size(), 2U);
}

TEST_F(SqsBatcherTest, EachEntryLearnsItsOwnFate) {
  std::atomic<int> throttled = 0;
  server.answer_with([&](const SqsCall& call) {
    if (call.action != "SendMessageBatch") return SqsTestServer::succeed(call);
    json::array successful;
    json::array failed;
    const auto refuse = [&failed](const json::value& id, bool ours, const char* name) {
      failed.push_back({{"Id", id}, {"SenderFault", ours}, {"Code", name}, {"Message", "told to"}});
    };
    for (const auto& item : call.body.at("Entries").as_array()) {
      const auto& body = item.at("MessageBody").as_string();
      if (body == "malformed")
        refuse(item.at("Id"), true, "InvalidMessageContents");
      else if (body == "broken")
        refuse(item.at("Id"), false, "InternalError");
      else if (body == "throttled-once" && throttled++ == 0)
        refuse(item.at("Id"), true, "RequestThrottled");
      else if (body == "throttled")
        refuse(item.at("Id"), true, "RequestThrottled");
      else if (body != "forgotten")
        successful.push_back({{"Id", item.at("Id")}});
    }
    return sqs_answer({{"Successful", successful}, {"Failed", failed}});
  });
  occupy();
  for (const char* body : {"good", "malformed", "broken", "throttled-once", "throttled", "forgotten"}) start(body);
  clock.await_sleepers(6);
  server.release();
  auto outcomes = burst.await(8);
  EXPECT_TRUE(outcomes.at("good"));
  EXPECT_TRUE(outcomes.at("throttled-once"));
  EXPECT_EQ(outcomes.at("malformed").error().kind, ErrorKind::invalid);
  for (const char* body : {"broken", "throttled", "forgotten"}) {
    ASSERT_FALSE(outcomes.at(body)) << body;
    EXPECT_EQ(outcomes.at(body).error().kind, ErrorKind::unavailable) << body;
    EXPECT_EQ(outcomes.at(body).error().retry_after, std::chrono::seconds{1}) << body;
  }
  EXPECT_EQ(server.calls("SendMessageBatch").size(), 2U);  // the throttled ones once more
}

TEST_F(SqsBatcherTest, ARequestRefusedForOneOfThemIsTriedOneByOne) {
  server.answer_with([](const SqsCall& call) {
    if (call.action == "SendMessageBatch") return sqs_refusal(400, "InvalidMessageContents");
    if (call.body.at("MessageBody").as_string() == "bad") return sqs_refusal(400, "InvalidMessageContents");
    return SqsTestServer::succeed(call);
  });
  occupy();
  for (const char* body : {"good", "bad", "fine"}) start(body);
  clock.await_sleepers(3);
  server.release();
  auto outcomes = burst.await(5);
  EXPECT_TRUE(outcomes.at("good"));
  EXPECT_TRUE(outcomes.at("fine"));
  ASSERT_FALSE(outcomes.at("bad"));
  EXPECT_EQ(outcomes.at("bad").error().kind, ErrorKind::invalid);
}

TEST_F(SqsBatcherTest, WhatWaitsWhenAllRequestsAreTakenFailsAtItsDeadline) {
  occupy();
  for (int i = 0; i < 140; ++i) start(fmt::format("job-{}", i));  // 14 more requests: as many as may be in flight
  server.await_calls(16);
  start("late");
  clock.await_sleepers(141);
  clock.advance(milliseconds{1});
  clock.await_sleepers(141);
  clock.advance(milliseconds{3000});
  const auto late = burst.await(1);
  ASSERT_FALSE(late.at("late"));
  EXPECT_EQ(late.at("late").error().code, "aws_timeout");
  EXPECT_EQ(late.at("late").error().kind, ErrorKind::unavailable);
  server.release();
  for (const auto& [body, outcome] : burst.await(143)) EXPECT_EQ(outcome.has_value(), body != "late") << body;
  const auto sent = bodies(server.calls("SendMessageBatch"));
  EXPECT_EQ(std::ranges::count(sent, "late"), 0);
}

TEST_F(SqsBatcherTest, AQueueThatIsMissingIsASettingToMend) {
  server.answer_with([](const SqsCall&) { return sqs_refusal(400, "QueueDoesNotExist"); });
  const auto sent = run(sends.submit(entry("a"), 1));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(sent.error().code, "queue_missing");
}

TEST_F(SqsBatcherTest, ADeadReceiptIsToldFromOtherRefusals) {
  server.answer_with([](const SqsCall& call) {
    const auto& handle = call.body.at("Entries").as_array()[0].at("ReceiptHandle").as_string();
    return sqs_answer(
        {{"Failed",
          json::array{{{"Id", "0"}, {"SenderFault", true}, {"Code", std::string(handle)}, {"Message", "told to"}}}}});
  });
  for (const char* name : {"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"}) {
    const auto deleted = run(deletes.submit({{"ReceiptHandle", name}, {"x", 0}}, 1));
    ASSERT_FALSE(deleted) << name;
    EXPECT_EQ(deleted.error().code, "receipt_dead") << name;
    EXPECT_EQ(deleted.error().kind, ErrorKind::not_found) << name;
  }
  EXPECT_EQ(run(deletes.submit({{"ReceiptHandle", "UnsupportedOperation"}, {"x", 0}}, 1)).error().kind,
            ErrorKind::invalid);
}

}  // namespace
}  // namespace infra::aws
