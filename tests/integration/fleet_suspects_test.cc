// Jobs that were lost with a worker, at another one: through its one slot for them without a pause, and with a lease
// and a start no sooner than that.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapters/redis/leased_job_queue.h"
#include "core/error_codes.h"
#include "integration/leased_queue_world.h"
#include "support/event_counter.h"

namespace infra::testing {
namespace {

using FleetSuspectsTest = LeasedQueueTest;

TEST_F(FleetSuspectsTest, ManySuspectsGoThroughTheSlotOneAfterTheOther) {
  std::vector<std::string> ids;
  for (int i = 0; i < 40; ++i) ids.push_back(fmt::format("job-{:02}", i));
  lose(one_, ids);
  for (const auto& id : ids) copies_.add(id, id, false);
  copies_.add("new", "new");
  while (!copies_.waiting.empty()) {
    for (const auto& delivery : receive(two_)) EXPECT_EQ(delivery.receipt, "new");
  }
  std::vector<std::string> run;
  while (two_.suspects_waiting() > 0) {
    const auto suspect = receive_suspect(two_);
    ASSERT_TRUE(suspect);
    EXPECT_EQ(suspect->receives, 2);
    run.push_back(suspect->receipt);
    ASSERT_TRUE(world_.run(two_.acknowledge(suspect->receipt)));
  }
  EXPECT_EQ(run, ids);
  EXPECT_TRUE(put_off_.empty()) << "no time has passed";
  EXPECT_TRUE(copies_.extended.empty());
}

TEST_F(FleetSuspectsTest, AWorkerWhoseSlotIsNotOpenYetLeavesThemToOthers) {
  lose(one_, {"a"});
  LeasedJobQueue started(copies_, world_.redis, {"w-3"}, world_.clock, random_, postpone());
  copies_.add("a", "a", false);
  EXPECT_TRUE(receive(started).empty());
  EXPECT_EQ(started.suspects_waiting(), 0U);
  EXPECT_EQ(put_off_.at("a"), milliseconds{1000});
  EXPECT_EQ(starts_of("a"), "1");
}

TEST_F(FleetSuspectsTest, WhoWaitsForSuspectsHasTheNextAtOnce) {
  lose(one_, {"a"});
  std::optional<Delivery> got;
  EventCounter over;
  world_.spawn([](LeasedJobQueue& queue, std::optional<Delivery>& got, EventCounter& over) -> Task<void> {
    got = (co_await queue.receive_suspect()).value_or(std::nullopt);
    over.add();
  }(two_, got, over));
  copies_.add("a", "a", false);
  EXPECT_TRUE(receive(two_).empty());
  ASSERT_TRUE(over.await(1));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->receipt, "a");
}

// What kills its worker gives those that wait behind it no strike, and they hold no slot meanwhile.
TEST_F(FleetSuspectsTest, ASuspectThatWaitsHasNoLeaseNoStartAndNoSlot) {
  lose(one_, {"a", "b", "c"});
  Turnstile turns;
  turns.slots = {{"fn-1", 3}};
  two_.attach(&turns);
  for (const char* id : {"a", "b", "c"}) copies_.add(id, id, false);
  EXPECT_TRUE(receive(two_).empty());
  EXPECT_EQ(turns.taken.at("fn-1"), 0);
  ASSERT_EQ(receive_suspect(two_).value().receipt, "a");
  EXPECT_EQ(starts_of("a"), "2");
  EXPECT_EQ(starts_of("b"), "1");
  EXPECT_EQ(starts_of("c"), "1");
  EXPECT_EQ(two_.suspects_waiting(), 2U);

  world_.advance(limits::kVisibility + milliseconds{1});  // its worker was killed
  for (const char* id : {"b", "c", "a"}) copies_.add(id, std::string(id) + " again", false);
  EXPECT_TRUE(receive(one_).empty());
  for (const int starts : {2, 2, 3}) {
    const auto suspect = receive_suspect(one_);
    ASSERT_TRUE(suspect);
    EXPECT_EQ(suspect->receives, starts);
  }
  two_.attach(nullptr);
}

TEST_F(FleetSuspectsTest, ASuspectThatIsAnothersByItsTurnIsPassedOver) {
  lose(one_, {"a", "b", "c"});
  for (const char* id : {"a", "b", "c"}) copies_.add(id, id, false);
  EXPECT_TRUE(receive(two_).empty());
  copies_.add("a", "copy of a", false);
  EXPECT_TRUE(receive(one_).empty());
  ASSERT_TRUE(receive_suspect(one_));
  EXPECT_EQ(receive_suspect(two_).value().receipt, "b");
  EXPECT_GT(put_off_.at("a"), milliseconds{25'000});
}

TEST_F(FleetSuspectsTest, AMessageThatHasWaitedIsKeptOutOfSightForItsRun) {
  lose(one_, {"a", "b"});
  copies_.add("a", "a", false);
  copies_.add("b", "b", false);
  EXPECT_TRUE(receive(two_).empty());
  world_.advance(limits::kVisibilityRenewal);
  copies_.dead = {"a"};  // it was visible all the same
  EXPECT_EQ(receive_suspect(two_).value().receipt, "b");
  EXPECT_EQ(copies_.extended, std::set<std::string>{"b"});
  EXPECT_EQ(starts_of("a"), "1");
}

TEST_F(FleetSuspectsTest, BehindASuspectThatRunsForLongNobodyWaits) {
  lose(one_, {"a", "b", "c"});
  for (const char* id : {"a", "b"}) copies_.add(id, id, false);
  EXPECT_TRUE(receive(two_).empty());
  ASSERT_EQ(receive_suspect(two_).value().receipt, "a");
  world_.advance(milliseconds{7000});
  copies_.add("c", "c", false);
  EXPECT_TRUE(receive(two_).empty());
  EXPECT_EQ(put_off_.at("c"), milliseconds{7000}) << "as long as the first one has run";
  EXPECT_EQ(two_.suspects_waiting(), 1U);
  world_.advance(milliseconds{3000});
  ASSERT_TRUE(world_.run(two_.extend("a")));
  EXPECT_EQ(copies_.given_back, std::set<std::string>{"b"});
  EXPECT_EQ(two_.suspects_waiting(), 0U);
}

// Its client would wait for the end of a suspect that hangs, to hear what is certain by now.
TEST_F(FleetSuspectsTest, OneThatIsNotToBeStartedAgainWaitsForNoSuspect) {
  lose(one_, {"a", "b", "c"});
  for (const char* id : {"a", "b"}) copies_.add(id, id, false);
  EXPECT_TRUE(receive(two_).empty());
  ASSERT_EQ(receive_suspect(two_).value().receipt, "a");
  world_.ask({"HSET", "infra:lease:b", "starts", std::to_string(limits::kMaxReceives - 1)});
  copies_.add("b", "b with one start left", false);
  EXPECT_TRUE(receive(two_).empty());
  world_.ask({"HSET", "infra:lease:b", "starts", std::to_string(limits::kMaxReceives)});
  copies_.add("b", "b again", false);
  const auto got = receive(two_);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].receipt, "b again");
  EXPECT_TRUE(is_given_up(got[0]));

  copies_.add("c", "c", false);
  copies_.waiting.back().cannot_run = Error{errors::invalid_runtime, "No worker has cobol."};
  EXPECT_EQ(receive(two_).size(), 1U);
}

TEST_F(FleetSuspectsTest, OneOfAVersionInQuarantineWaitsForNoSuspect) {
  struct OfOne final : Quarantine {
    std::optional<milliseconds> remaining(const FunctionId& function, const CodeRef&) const override {
      return function.value == "fn-1" ? std::optional(limits::kQuarantine) : std::nullopt;
    }
    Task<void> note_lost(const Job&) override { co_return; }
  } quarantine;
  lose(one_, {"a", "b"});
  LeasedJobQueue third(copies_, world_.redis, {"w-3"}, world_.clock, random_, postpone(), &quarantine);
  third.begin_suspects();
  copies_.add("a", "a", false);
  copies_.add("b", "b", false);
  copies_.waiting.back().job.function_id = {"fn-2"};
  const auto got = receive(third);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].receipt, "a");
  EXPECT_EQ(third.suspects_waiting(), 1U);
}

TEST_F(FleetSuspectsTest, AWorkerThatStopsGivesBackTheSuspectsThatWait) {
  lose(one_, {"a", "b"});
  copies_.add("a", "a", false);
  EXPECT_TRUE(receive(two_).empty());
  two_.wake_receivers();
  EXPECT_EQ(*world_.run(two_.receive_suspect()), std::nullopt);
  EXPECT_FALSE(two_.has_suspects());
  world_.run_void(two_.end_suspects());
  EXPECT_EQ(copies_.given_back, std::set<std::string>{"a"});
  copies_.add("b", "b", false);  // it was on its way
  EXPECT_TRUE(receive(two_).empty());
  EXPECT_EQ(put_off_.at("b"), milliseconds{0});
  EXPECT_EQ(starts_of("a"), "1");
}

TEST_F(FleetSuspectsTest, WithoutRedisSuspectsGoOnWaiting) {
  lose(one_, {"a"});
  copies_.add("a", "a", false);
  EXPECT_TRUE(receive(two_).empty());
  world_.server.kill();
  RedisWorld::eventually([&] { return !world_.redis.connected(); });
  const auto none = world_.run(two_.receive_suspect());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(two_.suspects_waiting(), 1U);
  world_.server.restart();
  RedisWorld::eventually([&] { return world_.redis.connected(); });
  EXPECT_EQ(receive_suspect(two_).value().receipt, "a");
}

TEST_F(FleetSuspectsTest, ASuspectThatRedisMayHaveLeasedIsHeldUntilItHasLetGo) {
  lose(one_, {"a", "b"});
  for (const char* id : {"a", "b"}) copies_.add(id, id, false);
  EXPECT_TRUE(receive(two_).empty());
  world_.server.freeze();
  EXPECT_FALSE(world_.run(two_.receive_suspect()));
  EXPECT_TRUE(copies_.extended.contains("a"));
  EXPECT_EQ(two_.suspects_waiting(), 1U);
  world_.server.thaw();
  std::optional<Delivery> got;
  RedisWorld::eventually([&] { return (got = receive_suspect(two_)).has_value(); });
  EXPECT_EQ(got->receipt, "b");
  EXPECT_TRUE(copies_.given_back.contains("a"));
  EXPECT_EQ(starts_of("a"), "1");
}

}  // namespace
}  // namespace infra::testing
