// What a queue of one machine promises beside the JobQueueContract: it knows every job, so its order, its counts and
// its refusals are exact.
#pragma once

#include "contract/job_queue_contract.h"

namespace infra {

template <typename Engine>
class LocalJobQueueContract : public JobQueueContract<Engine> {};

TYPED_TEST_SUITE_P(LocalJobQueueContract);

TYPED_TEST_P(LocalJobQueueContract, OldestFirstOverBothKinds) {
  std::vector<std::string> sent;
  for (int i = 0; i < 8; ++i) {
    sent.push_back(fmt::format("job-{}", i));
    this->enqueue(sent.back(), i % 3 == 0 ? RunMode::sync : RunMode::async);
  }
  EXPECT_EQ(this->received_ids(3), (std::vector<std::string>{sent.begin(), sent.begin() + 3}));
  EXPECT_EQ(this->received_ids(10), (std::vector<std::string>{sent.begin() + 3, sent.end()}));
}

TYPED_TEST_P(LocalJobQueueContract, RefusesAnIdThatIsQueued) {
  for (const RunMode mode : {RunMode::async, RunMode::sync}) {
    const std::string id = mode == RunMode::async ? "a" : "s";
    this->enqueue(id, mode);
    const auto again = this->engine_.run(this->queue().enqueue(make_job(id, mode)));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().kind, ErrorKind::conflict);
  }
  EXPECT_EQ(this->receive().size(), 2U);
}

TYPED_TEST_P(LocalJobQueueContract, ExpiredLeaseComesBackAtItsOldPlaceAndCounts) {
  for (const RunMode mode : {RunMode::async, RunMode::sync}) {
    const std::string kind = mode == RunMode::async ? "a" : "s";
    this->enqueue(kind + "1", mode);
    const auto first = this->receive(1);
    ASSERT_EQ(first.size(), 1U);
    this->enqueue(kind + "2", mode);
    this->expire_leases();
    const auto again = this->receive();
    ASSERT_EQ(again.size(), 2U);
    EXPECT_EQ(again[0].job.request_id.value, kind + "1");
    EXPECT_EQ(again[0].receives, 2);
    EXPECT_EQ(again[1].receives, 1);
    // The first hand-over is dead: it can neither extend nor end the second one.
    const auto extended = this->engine_.run(this->queue().extend(first[0].receipt));
    ASSERT_FALSE(extended);
    EXPECT_EQ(extended.error().kind, ErrorKind::not_found);
    EXPECT_TRUE(this->engine_.run(this->queue().acknowledge(first[0].receipt)));
    EXPECT_TRUE(this->engine_.run(this->queue().extend(again[0].receipt)));
    for (const auto& delivery : again) EXPECT_TRUE(this->engine_.run(this->queue().acknowledge(delivery.receipt)));
  }
}

TYPED_TEST_P(LocalJobQueueContract, GivenBackIsFirstAgainAndCountsNothing) {
  this->enqueue("a");
  this->enqueue("s", RunMode::sync);
  this->enqueue("b");
  for (int round = 0; round < 3; ++round) {
    const auto got = this->receive(2);
    ASSERT_EQ(got.size(), 2U);
    EXPECT_EQ(got[0].job.request_id.value, "a");
    EXPECT_EQ(got[1].job.request_id.value, "s");
    EXPECT_EQ(got[0].receives + got[1].receives, 2);
    for (const auto& delivery : got) ASSERT_TRUE(this->engine_.run(this->queue().give_back(delivery.receipt)));
  }
}

TYPED_TEST_P(LocalJobQueueContract, BuriedIsCountedAsDead) {
  this->enqueue("a");
  this->enqueue("s", RunMode::sync);
  for (const auto& delivery : this->receive()) {
    ASSERT_TRUE(this->engine_.run(this->queue().bury(delivery.receipt, "crashed the worker three times")));
  }
  this->expire_leases();
  EXPECT_TRUE(this->receive().empty());
  const auto depth = this->engine_.run(this->queue().depth());
  ASSERT_TRUE(depth);
  EXPECT_EQ(depth->dead, 2);
  EXPECT_EQ(depth->ready + depth->in_flight, 0);
}

TYPED_TEST_P(LocalJobQueueContract, WaitingReceiversWakeOnAClockThatStandsStill) {
  Seen seen;
  this->enqueue("leased");
  ASSERT_EQ(this->receive().size(), 1U);

  std::atomic<int> running = 1;
  this->engine_.spawn(this->counted(this->work(this->queue(), seen), running));
  this->engine_.await_sleepers(1);
  this->enqueue("new");  // wakes it, on a clock that stands still
  this->engine_.await_sleepers(1);
  this->expire_leases();  // the dead lease wakes it
  seen.await("leased");
  this->queue().wake_receivers();  // and so does the end
  running.wait(1);
  EXPECT_EQ(seen.ids(), (std::multiset<std::string>{"leased", "new"}));
}

TYPED_TEST_P(LocalJobQueueContract, AfterTheEndOnlySyncJobsAreHandedOut) {
  this->enqueue("async");
  this->enqueue("sync", RunMode::sync);
  this->queue().wake_receivers();
  EXPECT_EQ(this->received_ids(), std::vector<std::string>{"sync"});
  EXPECT_TRUE(this->receive(10, std::chrono::hours{1}).empty());  // without waiting
  EXPECT_EQ(this->engine_.run(this->queue().depth())->ready, 1);
}

REGISTER_TYPED_TEST_SUITE_P(LocalJobQueueContract, OldestFirstOverBothKinds, RefusesAnIdThatIsQueued,
                            ExpiredLeaseComesBackAtItsOldPlaceAndCounts, GivenBackIsFirstAgainAndCountsNothing,
                            BuriedIsCountedAsDead, WaitingReceiversWakeOnAClockThatStandsStill,
                            AfterTheEndOnlySyncJobsAreHandedOut);

}  // namespace infra
