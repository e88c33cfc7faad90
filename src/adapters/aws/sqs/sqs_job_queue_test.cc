// What SqsJobQueue asks of SQS and the bucket, and what it makes of answers that a real queue rarely gives.
#include "adapters/aws/sqs/sqs_job_queue.h"

#include <future>

#include "adapters/aws/sqs/sqs_probe.h"
#include "adapters/aws/sqs/test_sqs_world.h"
#include "core/error_codes.h"
#include "core/limits.h"
#include "core/object_keys.h"
#include "support/metric_value.h"

namespace infra {
namespace {

namespace json = boost::json;
using testing::sqs_answer;
using testing::sqs_refusal;
using testing::SqsCall;
using testing::SqsTestServer;

constexpr const char* kUrl = "http://queue/1/jobs";

json::object message(const std::string& id, const std::string& body, int receives = 1) {
  return {{"MessageId", "m-" + id},
          {"ReceiptHandle", "h-" + id},
          {"Body", body},
          {"Attributes", {{"ApproximateReceiveCount", std::to_string(receives)}}}};
}
std::string job_body(const std::string& id) {
  return fmt::format(R"({{"requestId":"{}","functionId":"f","s3Key":"k"}})", id);
}

Job make_job(const std::string& id, std::string input = "{}") {
  Job job;
  job.request_id = {id};
  job.function_id = {"f"};
  job.code = {"functions/f/1.zip", std::string(64, 'a')};
  job.input = std::move(input);
  return job;
}
std::string big_input() {
  return "{\"text\":\"" + std::string(aws::kMaxMessageBytes, 'x') + "\"}";
}

class SqsJobQueueTest : public testing::SqsTestWorld {
 protected:
  SqsJobQueue make_queue(std::string url = kUrl) {
    return {sqs,
            std::move(url),
            objects,
            clock,
            executor,
            metrics,
            {.bucket = "code-bucket", .reference_worker_alive = [this] { return reference_alive.load(); }}};
  }
  // Each poll gets the next of these, then nothing more.
  void serve(std::vector<json::array> polls) {
    auto next = std::make_shared<std::atomic<std::size_t>>(0);
    server.answer_with([polls = std::move(polls), next](const SqsCall& call) {
      if (call.action != "ReceiveMessage") return SqsTestServer::succeed(call);
      const std::size_t turn = (*next)++;
      if (turn >= polls.size()) return sqs_answer({});
      return sqs_answer({{"Messages", polls[turn]}});
    });
  }

  testing::MemoryObjects objects;
  std::atomic<bool> reference_alive = false;
  double unreadable() { return testing::metric_value(metrics, "worker_unreadable_messages_total"); }

  Metrics metrics;
};

TEST_F(SqsJobQueueTest, AFifoQueueGetsEachJobAsAGroupOfItsOwn) {
  auto fifo = make_queue("http://queue/1/jobs.fifo");
  ASSERT_TRUE(run(fifo.enqueue(make_job("r1"))));
  const auto sent = server.calls("SendMessage").at(0).body;
  EXPECT_EQ(sent.at("QueueUrl"), "http://queue/1/jobs.fifo");
  EXPECT_EQ(sent.at("MessageGroupId"), "r1");
  EXPECT_EQ(sent.at("MessageDeduplicationId"), "r1");
  auto standard = make_queue();
  ASSERT_TRUE(run(standard.enqueue(make_job("r2"))));
  EXPECT_FALSE(server.calls("SendMessage").at(1).body.contains("MessageGroupId"));
}

TEST_F(SqsJobQueueTest, ABigInputTravelsThroughTheBucketAndIsRemovedAfterwards) {
  auto queue = make_queue();
  const std::string input = big_input();
  ASSERT_TRUE(run(queue.enqueue(make_job("r1", input))));
  EXPECT_EQ(objects.find("payloads/r1.json"), input);
  const std::string body(server.calls("SendMessage").at(0).body.at("MessageBody").as_string());
  EXPECT_LT(body.size(), 1000U);

  serve({{message("1", body)}});
  const auto got = run(queue.receive(1, milliseconds{0}));
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), 1U);
  EXPECT_EQ(got->at(0).job.input, input);
  ASSERT_TRUE(run(queue.extend(got->at(0).receipt)));
  EXPECT_TRUE(objects.find("payloads/r1.json"));
  ASSERT_TRUE(run(queue.acknowledge(got->at(0).receipt)));
  EXPECT_EQ(objects.count(), 0U);
  const auto deleted = server.calls("DeleteMessageBatch").at(0).body;
  EXPECT_EQ(deleted.at("Entries").at(0).at("ReceiptHandle"), "h-1");
}

TEST_F(SqsJobQueueTest, TheLimitIsCountedInBytesOfTheWholeMessage) {
  auto queue = make_queue();
  const std::size_t frame = aws::write_job_message(make_job("r1", "\"\""), "code-bucket").size();
  const std::string fits = "\"" + std::string(aws::kMaxMessageBytes - frame, 'x') + "\"";
  ASSERT_TRUE(run(queue.enqueue(make_job("r1", fits))));
  EXPECT_EQ(objects.count(), 0U);
  EXPECT_EQ(server.calls("SendMessage").at(0).body.at("MessageBody").as_string().size(), aws::kMaxMessageBytes);
  ASSERT_TRUE(run(queue.enqueue(make_job("r2", "\"x" + fits.substr(1)))));
  EXPECT_TRUE(objects.find("payloads/r2.json"));
}

TEST_F(SqsJobQueueTest, AReferenceWorkerIsNeverGivenAnInputThatItWouldNotSee) {
  reference_alive = true;
  auto queue = make_queue();
  const auto refused = run(queue.enqueue(make_job("r1", big_input())));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::too_large);
  EXPECT_EQ(refused.error().code, "payload_too_large");
  EXPECT_NE(refused.error().message.find("256 KiB"), std::string::npos);
  EXPECT_EQ(server.count(), 0U);
  EXPECT_EQ(objects.count(), 0U);
  EXPECT_TRUE(run(queue.enqueue(make_job("r2"))));
}

TEST_F(SqsJobQueueTest, AFailedSendKeepsThePayloadOnlyIfTheMessageMayBeThere) {
  std::atomic<int> status = 400;
  server.answer_with(
      [&](const SqsCall&) { return sqs_refusal(status, status == 400 ? "InvalidMessageContents" : "InternalError"); });
  auto queue = make_queue();
  EXPECT_EQ(run(queue.enqueue(make_job("r1", big_input()))).error().kind, ErrorKind::invalid);
  EXPECT_EQ(objects.count(), 0U);
  status = 500;
  EXPECT_EQ(run(queue.enqueue(make_job("r2", big_input()))).error().kind, ErrorKind::unavailable);
  EXPECT_TRUE(objects.find("payloads/r2.json"));
}

TEST_F(SqsJobQueueTest, AsksForNoMoreThanIsWantedAndWaitsOnlyForTheFirst) {
  json::array ten;
  for (int i = 0; i < 10; ++i) ten.push_back(message(std::to_string(i), job_body("r" + std::to_string(i))));
  json::array three(ten.begin(), ten.begin() + 3);
  serve({{}, ten, ten, three});
  auto queue = make_queue();
  const auto got = run(queue.receive(25, std::chrono::seconds{60}));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->size(), 23U);
  const auto polls = server.calls("ReceiveMessage");
  ASSERT_EQ(polls.size(), 4U);
  const std::vector<std::pair<int, int>> expected{{10, 5}, {10, 5}, {10, 0}, {5, 0}};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(polls[i].body.at("MaxNumberOfMessages"), expected[i].first) << i;
    EXPECT_EQ(polls[i].body.at("WaitTimeSeconds"), expected[i].second) << i;
    EXPECT_EQ(polls[i].body.at("VisibilityTimeout"), limits::kVisibility.count()) << i;
  }
}

TEST_F(SqsJobQueueTest, AWaitThatIsOverGivesNothing) {
  auto queue = make_queue();
  EXPECT_TRUE(run(queue.receive(3, milliseconds{0}))->empty());
  EXPECT_TRUE(run(queue.receive(3, milliseconds{999}))->empty());
  EXPECT_EQ(server.calls("ReceiveMessage").size(), 2U);
  EXPECT_TRUE(run(queue.receive(0, std::chrono::seconds{20}))->empty());
  EXPECT_EQ(server.calls("ReceiveMessage").size(), 2U);
}

TEST_F(SqsJobQueueTest, APollUnderWayIsLetFinishAndWhatItBringsIsGivenBack) {
  serve({{message("1", job_body("r1")), message("2", job_body("r2"))}});
  auto queue = make_queue();
  server.hold();
  auto received = std::async(std::launch::async, [&] { return run(queue.receive(5, std::chrono::hours{1})); });
  server.await_calls(1);
  queue.wake_receivers();
  server.release();
  const auto got = received.get();
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->empty());
  std::vector<std::string> given_back;
  for (const auto& call : server.calls("ChangeMessageVisibilityBatch")) {
    for (const auto& entry : call.body.at("Entries").as_array()) {
      EXPECT_EQ(entry.at("VisibilityTimeout"), 0);
      given_back.emplace_back(entry.at("ReceiptHandle").as_string());
    }
  }
  EXPECT_EQ(given_back, (std::vector<std::string>{"h-1", "h-2"}));
  const std::size_t asked = server.count();
  EXPECT_TRUE(run(queue.receive(5, std::chrono::hours{1}))->empty());
  EXPECT_EQ(server.count(), asked);
}

TEST_F(SqsJobQueueTest, AMessageThatIsNoJobIsLeftToTheRedrivePolicy) {
  serve({{message("1", "hello"), message("2", job_body("r2"), 3)}, {message("1", "hello", 2)}});
  auto queue = make_queue();
  const auto got = run(queue.receive(5, milliseconds{0}));
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), 1U);
  EXPECT_EQ(got->at(0).job.request_id.value, "r2");
  EXPECT_EQ(got->at(0).receives, 3);
  EXPECT_FALSE(got->at(0).fresh);
  EXPECT_EQ(server.count(), 1U);  // neither deleted nor given back
  EXPECT_TRUE(run(queue.receive(5, milliseconds{0}))->empty());
  EXPECT_EQ(unreadable(), 1);  // told of once, however often it comes
}

TEST_F(SqsJobQueueTest, AJobWhosePayloadCannotBeReadNowComesAgainSoon) {
  const std::string body = aws::write_job_message(make_job("r1"), "code-bucket", payload_key({"r1"}));
  serve({{message("1", body)}, {message("1", body, 31)}});
  objects.fail_with(Error{errors::aws_unavailable, "told to", std::chrono::seconds{1}});
  auto queue = make_queue();
  const auto got = run(queue.receive(5, std::chrono::seconds{20}));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::unavailable);
  const auto put_off = server.calls("ChangeMessageVisibilityBatch").at(0).body;
  EXPECT_EQ(put_off.at("Entries").at(0).at("VisibilityTimeout"), 2);
  ASSERT_FALSE(run(queue.receive(5, std::chrono::seconds{20})));  // in a long outage, which the redrive policy counts
  const auto later = server.calls("ChangeMessageVisibilityBatch").at(1).body;
  EXPECT_EQ(later.at("Entries").at(0).at("VisibilityTimeout"), 10);
  EXPECT_TRUE(server.calls("DeleteMessageBatch").empty());
}

// Its first copy was settled, or somebody emptied the bucket: the worker finds out which.
TEST_F(SqsJobQueueTest, AJobWhosePayloadIsGoneIsHandedOutAsSuch) {
  serve({{message("1", aws::write_job_message(make_job("r1"), "code-bucket", payload_key({"r1"})))}});
  auto queue = make_queue();
  const auto got = run(queue.receive(5, std::chrono::seconds{20}));
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), 1U);
  ASSERT_TRUE(got->at(0).cannot_run);
  EXPECT_EQ(got->at(0).cannot_run->code, "input_lost");
  EXPECT_FALSE(got->at(0).fresh);
}

TEST_F(SqsJobQueueTest, AJobThatNobodyCanRunIsHandedOutWithTheReason) {
  const auto body = [](std::string_view more) {
    return fmt::format(R"({{"requestId":"r","functionId":"f","replyTo":"result-of:c"{}}})", more);
  };
  serve({{message("1", body("")), message("2", body(R"(,"s3Key":"k","s3Bucket":"other")"))}});
  auto queue = make_queue();
  const auto got = run(queue.receive(5, milliseconds{0}));
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), 2U);
  EXPECT_EQ(got->at(0).cannot_run->code, "function_has_no_code");
  EXPECT_FALSE(got->at(1).cannot_run) << "code is read from this worker's bucket, whatever the message calls it";
  EXPECT_EQ(got->at(0).job.reply_to, "result-of:c");
  EXPECT_TRUE(got->at(0).fresh);
  EXPECT_EQ(unreadable(), 0);
}

TEST_F(SqsJobQueueTest, AReferenceControllerIsToldNoSoonerThanItListens) {
  const std::string ours = aws::write_job_message(
      [] {
        Job job = make_job("r1");
        job.reply_to = "result-of:c";
        return job;
      }(),
      "code-bucket");
  serve({{message("1", ours), message("2", job_body("r2"))}});
  auto queue = make_queue();
  const auto got = run(queue.receive(5, milliseconds{0}));
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), 2U);
  EXPECT_EQ(got->at(0).tell_from, SteadyTime{});
  EXPECT_EQ(got->at(1).tell_from, clock.steady_now() + milliseconds{200});
}

TEST_F(SqsJobQueueTest, WhoeverAsksKnowsBeforeTheMessageWhetherItsInputGoesApart) {
  std::vector<std::string> told;
  SqsJobQueue queue(sqs, kUrl, objects, clock, executor, metrics,
                    {.bucket = "code-bucket", .on_send = [&](const Job& job, bool input_apart) {
                       told.push_back(job.request_id.value + (input_apart ? " apart" : "") +
                                      (server.count() == told.size() ? "" : " late"));
                     }});
  ASSERT_TRUE(run(queue.enqueue(make_job("r1"))));
  ASSERT_TRUE(run(queue.enqueue(make_job("r2", big_input()))));
  EXPECT_EQ(told, (std::vector<std::string>{"r1", "r2 apart"}));
}

TEST_F(SqsJobQueueTest, ADeadReceiptEndsExtensionsOnlyAndKeepsThePayload) {
  const std::string body = aws::write_job_message(make_job("r1"), "code-bucket", payload_key({"r1"}));
  ASSERT_TRUE(run(objects.put_object("payloads/r1.json", "[1]")));
  server.answer_with([&](const SqsCall& call) {
    if (call.action == "ReceiveMessage") return sqs_answer({{"Messages", {message("1", body)}}});
    return sqs_answer({{"Failed", {{{"Id", "0"}, {"SenderFault", true}, {"Code", "ReceiptHandleIsInvalid"}}}}});
  });
  auto queue = make_queue();
  const auto got = run(queue.receive(1, milliseconds{0}));
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), 1U);
  const std::string& receipt = got->at(0).receipt;
  EXPECT_EQ(run(queue.extend(receipt)).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(run(queue.give_back(receipt)));
  EXPECT_TRUE(run(queue.postpone(receipt, milliseconds{1})));
  EXPECT_TRUE(run(queue.acknowledge(receipt)));
  EXPECT_TRUE(run(queue.bury(receipt, "why")));
  EXPECT_TRUE(objects.find("payloads/r1.json"));
}

TEST_F(SqsJobQueueTest, PausesAreRoundedUpToWholeSeconds) {
  auto queue = make_queue();
  ASSERT_TRUE(run(queue.postpone("h", milliseconds{1001})));
  ASSERT_TRUE(run(queue.extend("h")));
  const auto calls = server.calls("ChangeMessageVisibilityBatch");
  EXPECT_EQ(calls.at(0).body.at("Entries").at(0).at("VisibilityTimeout"), 2);
  EXPECT_EQ(calls.at(1).body.at("Entries").at(0).at("VisibilityTimeout"), 30);
}

TEST_F(SqsJobQueueTest, ProbeAndDepthTellAQueueThatIsThereFromOneThatIsNot) {
  std::atomic<bool> there = true;
  server.answer_with([&](const SqsCall&) {
    if (!there) return sqs_refusal(400, "QueueDoesNotExist");
    return sqs_answer(
        {{"Attributes", {{"ApproximateNumberOfMessages", "7"}, {"ApproximateNumberOfMessagesNotVisible", "3"}}}});
  });
  auto queue = make_queue();
  SqsProbe probe(sqs, kUrl);
  EXPECT_EQ(probe.name(), "queue");
  EXPECT_TRUE(run(probe.probe()));
  const auto depth = run(queue.depth());
  ASSERT_TRUE(depth);
  EXPECT_EQ(depth->ready, 7);
  EXPECT_EQ(depth->in_flight, 3);
  EXPECT_EQ(depth->dead, 0);
  there = false;
  EXPECT_EQ(run(probe.probe()).error().code, "queue_missing");
  EXPECT_EQ(run(queue.depth()).error().code, "queue_missing");
  EXPECT_EQ(run(queue.receive(1, milliseconds{0})).error().code, "queue_missing");
}

}  // namespace
}  // namespace infra
