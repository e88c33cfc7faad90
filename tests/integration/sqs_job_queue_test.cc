// The job queue's contract on SQS, standard and FIFO, through the gate that checks signatures; and what only a real
// queue can tell: that it takes what we write and keeps what we ask it to.
#include "adapters/aws/sqs/sqs_job_queue.h"

#include <boost/json.hpp>

#include "adapters/aws/sqs/sqs_probe.h"
#include "contract/job_queue_contract.h"
#include "integration/aws_world.h"
#include "support/memory_objects.h"

namespace infra {
namespace {

class SqsWorld : public AwsWorld {
 public:
  explicit SqsWorld(bool fifo = false) : url(peers.make_queue(fifo)) {}
  SqsJobQueue& queue() { return queue_; }

  // As another program would put it there.
  void send_raw(const std::string& body) {
    const auto sent =
        run(sqs.call_json("AmazonSQS.SendMessage", {{"QueueUrl", url}, {"MessageBody", body}}, aws::Repeat::safe));
    ASSERT_TRUE(sent) << sent.error().message;
  }

  const std::string url;
  testing::MemoryObjects objects;

 private:
  Metrics metrics_;
  SqsJobQueue queue_{
      sqs, url, objects, clock, executor, metrics_, {.bucket = "code-bucket", .poll = std::chrono::seconds{1}}};
};

class SqsFifoWorld : public SqsWorld {
 public:
  SqsFifoWorld() : SqsWorld(true) {}
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqs, JobQueueContract, SqsWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(SqsFifo, JobQueueContract, SqsFifoWorld);

Delivery receive_one(SqsWorld& world) {
  auto got = world.run(world.queue().receive(10, milliseconds{0}));
  if (!got || got->size() != 1) {
    ADD_FAILURE() << (got ? fmt::format("{} jobs", got->size()) : got.error().message);
    return {};
  }
  return std::move(got->front());
}

TEST(SqsJobQueue, AFifoQueueTakesARequestIdOnce) {
  SqsFifoWorld world;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(world.run(world.queue().enqueue(make_job("r1"))));
  ASSERT_TRUE(world.run(world.queue().acknowledge(receive_one(world).receipt)));
  ASSERT_TRUE(world.run(world.queue().enqueue(make_job("r1"))));
  EXPECT_TRUE(world.run(world.queue().receive(10, milliseconds{0}))->empty());
}

TEST(SqsJobQueue, AReferenceControllersMessageIsRun) {
  SqsWorld world;
  world.send_raw(R"({"requestId":"9b2f0c1e-3a4d-4e5f-8a6b-7c8d9e0f1a2b","functionId":"f","runtime":"nodejs",
                     "memoryMb":256,"s3Bucket":"b","s3Key":"functions/f/v1.zip","input":{"n":1.0},"timeoutMs":5000,
                     "modelId":"llama3:8b","envVars":{"A":"b"}})");
  const Job job = receive_one(world).job;
  EXPECT_EQ(job.request_id.value, "9b2f0c1e-3a4d-4e5f-8a6b-7c8d9e0f1a2b");
  EXPECT_EQ(job.runtime, Runtime::nodejs);
  EXPECT_EQ(job.memory_mb, 256);
  EXPECT_EQ(job.timeout, milliseconds{5000});
  EXPECT_EQ(job.input, R"({"n":1.0})");
  EXPECT_EQ(job.reply_to, "");
  EXPECT_EQ(job.accepted_at, world.now());
}

TEST(SqsJobQueue, EveryCharacterThatJsonMayHaveGetsThrough) {
  SqsWorld world;
  Job job = make_job("r1");
  job.input = "\"\x7F \xEF\xBF\xBE \xEF\xBF\xBF \xF0\x9F\x98\x80 \\u0000\"";
  job.env = {{"CONTROL", "\x01\x1F\xEF\xBF\xBF"}};
  ASSERT_TRUE(world.run(world.queue().enqueue(job)));
  const Delivery got = receive_one(world);
  EXPECT_EQ(got.job.input, "\"\x7F \\ufffe \\uffff \xF0\x9F\x98\x80 \\u0000\"");
  EXPECT_EQ(got.job.env, job.env);
}

TEST(SqsJobQueue, ABigInputComesBackWhole) {
  SqsWorld world;
  Job job = make_job("r1");
  job.input = "\"" + std::string(2 * 1024 * 1024, 'x') + "\"";
  ASSERT_TRUE(world.run(world.queue().enqueue(job)));
  const Delivery got = receive_one(world);
  EXPECT_EQ(got.job.input, job.input);
  ASSERT_TRUE(world.run(world.queue().acknowledge(got.receipt)));
  EXPECT_EQ(world.objects.count(), 0U);
}

TEST(SqsJobQueue, AnInputAtTheLimitNeedsNoBucket) {
  SqsWorld world;
  Job job = make_job("r1");
  job.input = "\"\"";
  const std::size_t room = aws::kMaxMessageBytes - aws::write_job_message(job, "code-bucket").size();
  job.input = "\"" + std::string(room, 'x') + "\"";
  ASSERT_TRUE(world.run(world.queue().enqueue(job)));
  EXPECT_EQ(world.objects.count(), 0U);
  EXPECT_EQ(receive_one(world).job.input, job.input);
}

TEST(SqsJobQueue, APostponedJobComesBackWhenItsPauseIsOver) {
  SqsWorld world;
  ASSERT_TRUE(world.run(world.queue().enqueue(make_job("r1"))));
  ASSERT_TRUE(world.run(world.queue().postpone(receive_one(world).receipt, milliseconds{4500})));
  world.advance(milliseconds{4000});
  EXPECT_TRUE(world.run(world.queue().receive(10, milliseconds{0}))->empty());
  world.advance(milliseconds{1001});
  EXPECT_EQ(receive_one(world).receives, 2);
}

TEST(SqsJobQueue, AMissingQueueIsToldByProbeAndCalls) {
  SqsWorld world;
  SqsProbe probe(world.sqs, world.url);
  EXPECT_TRUE(world.run(probe.probe()));
  SqsProbe lost(world.sqs, world.url + "-not-there");
  const auto missing = world.run(lost.probe());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(missing.error().code, "queue_missing");
}

}  // namespace
}  // namespace infra
