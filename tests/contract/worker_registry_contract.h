// What every WorkerRegistry promises. Instantiate with a world type that has a ManualClock `clock`, record(heartbeat),
// list(), advance(step) and `slack`: by how much its time may go on of itself.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "ports/worker_registry.h"
#include "support/manual_clock.h"
#include "support/run_task.h"

namespace infra::testing {

template <typename World>
class WorkerRegistryContract : public ::testing::Test {
 protected:
  World world_;
  ManualClock& clock_ = world_.clock;

  void record(const std::string& id, int active_jobs = 0) {
    Heartbeat heartbeat;
    heartbeat.worker_id = {id};
    heartbeat.pools = {{"python", 2}};
    heartbeat.active_jobs = active_jobs;
    heartbeat.received_at = clock_.now();
    ASSERT_TRUE(world_.record(heartbeat).has_value());
  }
  std::vector<Heartbeat> alive() { return world_.list().value(); }
};

TYPED_TEST_SUITE_P(WorkerRegistryContract);

TYPED_TEST_P(WorkerRegistryContract, ListsTheLastWordOfEachById) {
  EXPECT_TRUE(this->alive().empty());
  this->record("w-2");
  this->record("w-1", 3);
  this->record("w-1", 4);
  const auto alive = this->alive();
  ASSERT_EQ(alive.size(), 2U);
  EXPECT_EQ(alive[0].worker_id.value, "w-1");
  EXPECT_EQ(alive[0].active_jobs, 4);
  EXPECT_EQ(alive[0].pools.at("python"), 2);
  EXPECT_EQ(alive[1].worker_id.value, "w-2");
}

TYPED_TEST_P(WorkerRegistryContract, ThirtySecondsOfSilenceAreTheEnd) {
  this->record("quiet");
  this->world_.advance(std::chrono::seconds{15});
  this->record("alive");
  this->world_.advance(std::chrono::seconds{15} - this->world_.slack);
  EXPECT_EQ(this->alive().size(), 2U);
  this->world_.advance(this->world_.slack + milliseconds{1});
  const auto alive = this->alive();
  ASSERT_EQ(alive.size(), 1U);
  EXPECT_EQ(alive[0].worker_id.value, "alive");
  this->record("quiet");
  EXPECT_EQ(this->alive().size(), 2U);
}

// A flood of made-up workers hides none that lives, and leaves nothing behind.
TYPED_TEST_P(WorkerRegistryContract, KeepsAccountOfAThousandAtMost) {
  for (std::size_t i = 0; i < kMostWorkers; ++i) this->record("w-" + std::to_string(i));
  Heartbeat one_more;
  one_more.worker_id = {"one more"};
  const auto refused = this->world_.record(one_more);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "too_many_workers");
  EXPECT_EQ(refused.error().kind, ErrorKind::unavailable);
  this->record("w-0", 1);
  EXPECT_EQ(this->alive().size(), kMostWorkers);
  this->world_.advance(std::chrono::seconds{31});
  EXPECT_TRUE(this->world_.record(one_more));
  EXPECT_EQ(this->alive().size(), 1U);
}

REGISTER_TYPED_TEST_SUITE_P(WorkerRegistryContract, ListsTheLastWordOfEachById, ThirtySecondsOfSilenceAreTheEnd,
                            KeepsAccountOfAThousandAtMost);

}  // namespace infra::testing
