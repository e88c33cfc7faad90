// The job queue's contract on the simulated SQS, standard and FIFO.
#include "adapters/aws/sqs/sqs_job_queue.h"
#include "adapters/aws/sqs/sqs_probe.h"
#include "contract/job_queue_contract.h"
#include "platform/engines/aws/contract_world.h"
#include "support/memory_objects.h"

namespace infra {
namespace {

class SimulatedSqsWorld : public simulation::SimulatedAwsWorld {
 public:
  explicit SimulatedSqsWorld(bool fifo = false)
      : url(aws.sqs().make_queue(fifo ? "jobs.fifo" : "jobs", {.fifo = fifo})) {}
  ~SimulatedSqsWorld() override { loops.stop(); }
  SqsJobQueue& queue() { return queue_; }

  const std::string url;
  testing::MemoryObjects objects;

 private:
  Metrics metrics_;
  SqsJobQueue queue_{
      sqs, url, objects, clock, executor, metrics_, {.bucket = "code-bucket", .poll = std::chrono::seconds{1}}};
};

class SimulatedSqsFifoWorld : public SimulatedSqsWorld {
 public:
  SimulatedSqsFifoWorld() : SimulatedSqsWorld(true) {}
};

INSTANTIATE_TYPED_TEST_SUITE_P(SimulatedSqs, JobQueueContract, SimulatedSqsWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(SimulatedSqsFifo, JobQueueContract, SimulatedSqsFifoWorld);

TEST(SimulatedJobQueue, AMissingQueueIsToldByProbeAndCalls) {
  SimulatedSqsWorld world;
  SqsProbe probe(world.sqs, world.url);
  EXPECT_TRUE(world.run(probe.probe()));
  SqsProbe lost(world.sqs, world.url + "-not-there");
  const auto missing = world.run(lost.probe());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, "queue_missing");
}

TEST(SimulatedJobQueue, AFifoQueueTakesARequestIdOnce) {
  SimulatedSqsFifoWorld world;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(world.run(world.queue().enqueue(make_job("r1"))));
  const auto got = world.run(world.queue().receive(10, milliseconds{0}));
  ASSERT_EQ(got->size(), 1U);
  ASSERT_TRUE(world.run(world.queue().acknowledge(got->front().receipt)));
  ASSERT_TRUE(world.run(world.queue().enqueue(make_job("r1"))));
  EXPECT_TRUE(world.run(world.queue().receive(10, milliseconds{0}))->empty());
}

}  // namespace
}  // namespace infra
