// Which jobs are given back: by the worker's phase, by who waits for the job, and by who else could run it.
#include "worker/jobs/give_back.h"

#include <gtest/gtest.h>

#include "support/worker_world.h"

namespace infra::worker {
namespace {

class GiveBackTest : public ::testing::Test {
 protected:
  static Job job(RunMode mode) {
    Job job;
    job.mode = mode;
    return job;
  }

  TestLoop loop_;
  TestClock clock_{loop_};
  MemoryQueue queue_{clock_};
  Lifecycle lifecycle_{clock_};
  const Job sync_ = job(RunMode::sync);
  const Job async_ = job(RunMode::async);
};

TEST_F(GiveBackTest, AloneASyncJobIsRunForAsLongAsThereIsTime) {
  const GiveBack alone(queue_, lifecycle_, false);
  EXPECT_FALSE(alone.is_allowed_for(sync_));
  EXPECT_TRUE(alone.is_allowed_for(async_));
  EXPECT_FALSE(alone.is_due_for(sync_) || alone.is_due_for(async_));
  ASSERT_TRUE(lifecycle_.begin_draining());
  EXPECT_FALSE(alone.is_due_for(sync_));
  EXPECT_TRUE(alone.is_due_for(async_));
  lifecycle_.begin_stopping();
  EXPECT_TRUE(alone.is_due_for(sync_) && alone.is_due_for(async_));
}

TEST_F(GiveBackTest, InAFleetEveryJobIsForTheOthers) {
  const GiveBack fleet(queue_, lifecycle_, true);
  EXPECT_TRUE(fleet.is_allowed_for(sync_) && fleet.is_allowed_for(async_));
  EXPECT_FALSE(fleet.is_due_for(sync_) || fleet.is_due_for(async_));
  ASSERT_TRUE(lifecycle_.begin_draining());
  EXPECT_TRUE(fleet.is_due_for(sync_) && fleet.is_due_for(async_));
}

}  // namespace
}  // namespace infra::worker
