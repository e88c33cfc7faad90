// Whose turn it is, without any function behind it: who waits for its function's limit takes nobody else's slot.
#include "worker/jobs/run_gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>

#include "support/worker_world.h"

namespace infra::worker {
namespace {

using std::chrono::steady_clock;

class RunGateTest : public ::testing::Test {
 protected:
  explicit RunGateTest(GateLimits limits = {.slots = {.common = 2}}) : slots_(limits.slots.all()) {
    gate_.emplace(limiter_, clock_, limits, [this](const Job&) { return giving_up_.load(); }, [this] { hand_out(); });
  }

  // A job, from its queue to close(), that runs until it is told to end.
  struct Visitor {
    Job job;
    RunGate::TicketPtr ticket;
    std::optional<std::uint64_t> held_back;
    std::atomic<bool> runs = false, refused = false, ends = false, left = false, settled = true, gone = false;
    std::atomic<bool> steps_aside = false, aside = false, is_back = false;
  };

  std::shared_ptr<Visitor> visit(const std::string& function, int limit, std::size_t bytes = 2,
                                 RunMode mode = RunMode::sync) {
    return start(std::make_shared<Visitor>(), function, limit, bytes, mode);
  }
  std::shared_ptr<Visitor> start(std::shared_ptr<Visitor> visitor, const std::string& function, int limit = 0,
                                 std::size_t bytes = 2, RunMode mode = RunMode::sync) {
    visitor->job.function_id = {function};
    visitor->job.request_id = {std::to_string(++visitors_)};
    visitor->job.max_concurrency = limit;
    visitor->job.input = std::string(bytes, ' ');
    visitor->job.mode = mode;
    ++open_;
    {
      const MutexLock lock(mutex_);
      queue_.push_back(visitor);
      gate_->join(visitor->job.function_id, mode);
    }
    hand_out();
    return visitor;
  }
  std::shared_ptr<Visitor> visit_async(const std::string& function) { return visit(function, 0, 2, RunMode::async); }

  // As a queue does: each function's oldest in its turn.
  void hand_out() {
    for (const auto& visitor : take_all()) loop_.spawn("test", pass(visitor));
  }
  std::vector<std::shared_ptr<Visitor>> take_all() {
    std::vector<std::shared_ptr<Visitor>> taken;
    const MutexLock lock(mutex_);
    while (const auto turn = gate_->next()) {
      const auto next = std::ranges::find_if(queue_, [&](const auto& waiting) {
        return waiting->job.function_id == turn->function && (!turn->client || waiting->job.mode == RunMode::sync);
      });
      if (!turn->client && (*next)->job.mode == RunMode::sync) gate_->note_client(turn->function);
      (*next)->ticket = gate_->admit((*next)->job);
      taken.push_back(*next);
      queue_.erase(next);
    }
    return taken;
  }

  Task<void> pass(std::shared_ptr<Visitor> visitor) {
    if (visitor->steps_aside) {
      gate_->step_aside(visitor->ticket, visitor->job);
      visitor->aside = true;
      while (!visitor->is_back) co_await clock_.sleep_until(clock_.steady_now() + milliseconds(1));
      visitor->refused = !co_await gate_->come_back(visitor->ticket, visitor->job);
    }
    visitor->runs = !visitor->refused && co_await gate_->take_permit(visitor->ticket, visitor->job);
    visitor->refused = !visitor->runs;
    while (visitor->runs && !visitor->ends) co_await clock_.sleep_until(clock_.steady_now() + milliseconds(1));
    co_await gate_->leave(visitor->ticket, visitor->job, visitor->held_back);
    visitor->left = true;
    while (!visitor->settled) co_await clock_.sleep_until(clock_.steady_now() + milliseconds(1));
    co_await gate_->close(visitor->ticket, visitor->job, true);
    visitor->gone = true;
    --open_;
  }

  template <typename Condition>
  static void eventually(Condition condition) {
    const auto end = steady_clock::now() + std::chrono::seconds(10);
    while (!condition() && steady_clock::now() < end) std::this_thread::sleep_for(milliseconds(1));
    ASSERT_TRUE(condition());
  }
  static void end(const std::shared_ptr<Visitor>& visitor) {
    visitor->ends = true;
    eventually([&] { return visitor->gone.load(); });
  }
  void TearDown() override {
    EXPECT_EQ(open_, 0) << "somebody never got its turn";
    EXPECT_EQ(gate_->free_slots(), slots_);
    EXPECT_EQ(gate_->running(), 0);
    EXPECT_EQ(gate_->parked(), 0);
    EXPECT_EQ(limiter_.outstanding(), 0U);
  }

  const int slots_;
  TestLoop loop_;
  TestClock clock_{loop_};
  TestLimiter limiter_;
  std::atomic<bool> giving_up_ = false;
  std::atomic<int> open_ = 0;
  Mutex mutex_;
  std::deque<std::shared_ptr<Visitor>> queue_ INFRA_GUARDED_BY(mutex_);
  int visitors_ = 0;
  std::optional<RunGate> gate_;
};

TEST_F(RunGateTest, SlotsGoRoundInOrder) {
  const auto a = visit("f", 0), b = visit("f", 0), c = visit("g", 0), d = visit("h", 0);
  eventually([&] { return a->runs && b->runs; });
  EXPECT_FALSE(c->runs);
  EXPECT_EQ(gate_->free_slots(), 0);
  EXPECT_EQ(gate_->running(), 2);
  end(b);
  eventually([&] { return c->runs.load(); });
  EXPECT_FALSE(d->runs);
  end(a);
  eventually([&] { return d->runs.load(); });
  end(c);
  end(d);
  EXPECT_EQ(limiter_.asked, 0) << "functions without a limit are not counted";
}

TEST_F(RunGateTest, WhoWaitsForItsFunctionTakesNoSlot) {
  const auto a = visit("f", 1);
  eventually([&] { return a->runs.load(); });
  std::vector<std::shared_ptr<Visitor>> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.push_back(visit("f", 1));
    eventually([&] { return gate_->parked() == i + 1; });
  }
  EXPECT_EQ(gate_->free_slots(), 1);
  const auto other = visit("g", 1);
  eventually([&] { return other->runs.load(); });
  end(other);
  auto running = a;
  for (const auto& next : waiting) {  // in order, one at a time
    EXPECT_FALSE(next->runs);
    end(running);
    eventually([&] { return next->runs.load(); });
    EXPECT_EQ(limiter_.running("f"), 1U);
    running = next;
  }
  end(running);
  EXPECT_EQ(limiter_.left, 7);
}

class WideGateTest : public RunGateTest {
 protected:
  WideGateTest() : RunGateTest({.slots = {.common = 3}}) {}
};

TEST_F(WideGateTest, SeveralPermitsComeBackToSeveral) {
  const auto a = visit("f", 2), b = visit("f", 2);
  eventually([&] { return a->runs && b->runs; });
  const auto c = visit("f", 2), d = visit("f", 2);
  eventually([&] { return gate_->parked() == 2; });
  a->ends = b->ends = true;
  eventually([&] { return c->runs && d->runs; });
  end(c);
  end(d);
}

TEST_F(RunGateTest, WhoGivesUpLeavesTheLine) {
  const auto a = visit("f", 1);
  eventually([&] { return a->runs.load(); });
  const auto b = visit("f", 1), c = visit("f", 1);
  eventually([&] { return gate_->parked() == 2; });
  giving_up_ = true;
  gate_->wake_all();
  eventually([&] { return b->refused && c->refused; });
  end(a);
}

// Whose turn it is may be in the queue, from which nothing is taken any more when the worker ends.
TEST_F(RunGateTest, WhoWaitsForASlotAgainGivesUpToo) {
  const auto aside = std::make_shared<Visitor>();
  aside->steps_aside = true;
  start(aside, "f");
  eventually([&] { return aside->aside.load(); });
  const auto a = visit("g", 0), b = visit("h", 0);
  eventually([&] { return a->runs && b->runs; });
  aside->is_back = true;
  eventually([&] { return gate_->anyone_waits(); });
  giving_up_ = true;
  gate_->wake_all();
  eventually([&] { return aside->gone.load(); });
  EXPECT_TRUE(aside->refused);
  EXPECT_FALSE(gate_->anyone_waits());
  end(a);
  end(b);
}

// What a limiter that is away forgets or can't say keeps nobody out for good.
TEST_F(RunGateTest, ALimiterThatIsAwayIsAskedAgain) {
  limiter_.away = true;
  const auto a = visit("f", 1);
  eventually([&] { return gate_->parked() == 1; });
  limiter_.away = false;
  eventually([&] { return a->runs.load(); });
  end(a);
}

// What is put away after a run takes nobody's turn, unless it is not done with for so long that it piles up.
TEST_F(RunGateTest, ASlotIsFreeOnceItsRunIsOver) {
  std::vector<std::shared_ptr<Visitor>> settling;
  for (int i = 0; i < 3; ++i) {
    const auto visitor = settling.emplace_back(visit("f", 0));
    visitor->settled = false;
    eventually([&] { return visitor->runs.load(); });
    visitor->ends = true;
    eventually([&] { return visitor->left.load(); });
    EXPECT_EQ(gate_->free_slots(), i < 2 ? 2 : 1) << i;
  }
  for (const auto& visitor : settling) {
    visitor->settled = true;
    end(visitor);
  }
  EXPECT_EQ(gate_->free_slots(), 2);
}

class FairGateTest : public RunGateTest {
 protected:
  FairGateTest() : RunGateTest({.slots = SlotShares::of(16)}) {}
};

// The queue's order is by function, and a busy one leaves the last slots to others.
TEST_F(FairGateTest, AFloodOfOneFunctionKeepsNobodyElseWaiting) {
  std::vector<std::shared_ptr<Visitor>> flood;
  for (int i = 0; i < 1000; ++i) flood.push_back(visit_async("flood"));
  eventually([&] { return std::ranges::count_if(flood, [](const auto& run) { return run->runs.load(); }) == 13; });
  for (int i = 0; i < 100; ++i) {  // one after the other, at once
    const auto call = visit(i % 2 == 0 ? "f" : "g", 0);
    EXPECT_TRUE(call->ticket);
    end(call);
  }
  const auto async = visit_async("f"), beside = visit("f", 0), third = visit("f", 0), other = visit_async("h");
  EXPECT_TRUE(async->ticket && other->ticket) << "they had nothing running";
  EXPECT_TRUE(beside->ticket) << "a client waits for it";
  EXPECT_FALSE(third->ticket);
  EXPECT_EQ(gate_->free_slots(), 0);
  EXPECT_TRUE(gate_->anyone_waits());
  for (const auto& run : flood) run->ends = true;
  for (const auto& run : {async, beside, third, other}) run->ends = true;
  eventually([&] { return open_ == 0; });
}

// For memory or a compiler: others of its function wait with it, those of other functions do not.
TEST_F(RunGateTest, WhoStandsAsideHoldsNoSlotAndItsFunctionsLine) {
  auto waits = std::make_shared<Visitor>();
  waits->steps_aside = true;
  start(waits, "f");
  eventually([&] { return waits->aside.load(); });
  EXPECT_EQ(gate_->parked(), 1);
  EXPECT_EQ(gate_->free_slots(), 2);
  const auto behind = visit("f", 0);
  EXPECT_FALSE(behind->ticket);
  const auto other = visit("g", 0), another = visit("g", 0);
  eventually([&] { return other->runs && another->runs; });
  waits->is_back = true;
  eventually([&] { return gate_->parked() == 0; });
  EXPECT_FALSE(waits->runs) << "there is no slot";
  end(other);
  eventually([&] { return waits->runs.load(); });
  EXPECT_FALSE(behind->runs) << "it was there before";
  end(another);
  eventually([&] { return behind->runs.load(); });
  end(waits);
  end(behind);
}

class CrowdedGateTest : public RunGateTest {
 protected:
  CrowdedGateTest() : RunGateTest({.slots = {.common = 2}, .parked = 2, .parked_bytes = 10'000}) {}
};

TEST_F(CrowdedGateTest, ThoseWhoWaitAreBoundedInNumber) {
  const auto a = visit("f", 1);
  eventually([&] { return a->runs.load(); });
  const auto b = visit("f", 1), c = visit("f", 1);
  eventually([&] { return gate_->parked() == 2; });
  const auto d = visit("f", 1);
  eventually([&] { return gate_->free_slots() == 0; });  // it keeps its slot
  EXPECT_EQ(gate_->parked(), 2);
  for (const auto& next : {a, b, c, d}) {
    eventually([&] { return next->runs.load(); });
    end(next);
  }
}

TEST_F(CrowdedGateTest, ThoseWhoWaitAreBoundedInBytes) {
  const auto a = visit("f", 1);
  eventually([&] { return a->runs.load(); });
  const auto large = visit("f", 1, 20'000);
  eventually([&] { return gate_->free_slots() == 0; });
  EXPECT_EQ(gate_->parked(), 0);
  end(a);
  eventually([&] { return large->runs.load(); });
  end(large);
}

// Beside two whose results are held back there is room for two that are put away; what is more keeps its slot.
TEST_F(CrowdedGateTest, ResultsThatAreHeldBackAreBoundedInNumberAndInBytes) {
  std::vector<std::shared_ptr<Visitor>> held;
  const std::vector<std::uint64_t> bytes = {6000, 6000, 4000, 1,
                                            1};  // the second is too many bytes, the others too many
  const std::vector<int> free = {2, 2, 2, 2, 1};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto visitor = held.emplace_back(visit("f", 0));
    visitor->held_back = bytes[i];
    visitor->settled = false;
    eventually([&] { return visitor->runs.load(); });
    visitor->ends = true;
    eventually([&] { return visitor->left.load(); });
    EXPECT_EQ(gate_->free_slots(), free[i]) << i;
  }
  for (const auto& visitor : held) {
    visitor->settled = true;
    end(visitor);
  }
}

class SharedGateTest : public RunGateTest {
 protected:
  SharedGateTest() : RunGateTest({.slots = {.common = 2}, .shared = true}) {}
};

TEST_F(SharedGateTest, APermitThatComesBackElsewhereIsFound) {
  limiter_.occupy("f", "elsewhere");
  const auto a = visit("f", 1);
  eventually([&] { return gate_->parked() == 1; });
  limiter_.vacate("f", "elsewhere");
  eventually([&] { return a->runs.load(); });
  end(a);
}

// Also those who become the first of their line while it lets others have their turn.
TEST_F(SharedGateTest, EverybodyGetsThrough) {
  std::vector<std::shared_ptr<Visitor>> visitors;
  for (int i = 0; i < 30; ++i) visitors.push_back(visit("f", 1));
  for (const auto& visitor : visitors) {
    eventually([&] { return visitor->runs.load(); });
    std::this_thread::sleep_for(milliseconds(60));
    end(visitor);
  }
}

// A worker that always has somebody waiting would take back every permit that it gives back.
TEST_F(SharedGateTest, OthersGetTheirTurn) {
  std::vector<std::shared_ptr<Visitor>> waiting;
  bool taken = false;
  const auto end_at = steady_clock::now() + std::chrono::seconds(10);
  waiting.push_back(visit("f", 1));
  while (!taken && steady_clock::now() < end_at) {
    while (waiting.size() < 3) waiting.push_back(visit("f", 1));
    eventually([&] { return waiting.front()->runs.load(); });
    end(waiting.front());
    waiting.erase(waiting.begin());
    std::this_thread::sleep_for(milliseconds(5));  // what another worker's question takes, and more
    taken = limiter_.running("f") == 0;
  }
  EXPECT_TRUE(taken);
  for (const auto& visitor : waiting) {
    eventually([&] { return visitor->runs.load(); });
    end(visitor);
  }
}

// As of a message whose lease is another worker's: who looks for busy workers is not to find one.
TEST_F(RunGateTest, ASlotThatIsTakenForAJobThatDoesNotComeIsNoRun) {
  const int free = gate_->free_slots();
  ASSERT_TRUE(gate_->claim({"a"}, RunMode::async));
  EXPECT_EQ(gate_->free_slots(), free - 1);
  EXPECT_EQ(gate_->running(), 0);
  gate_->drop({"a"});
  EXPECT_EQ(gate_->free_slots(), free);
  EXPECT_EQ(gate_->running(), 0);
}

TEST_F(RunGateTest, ASlotBesideTheOthersIsHadAtOnceAndTakesNoneOfThem) {
  const auto first = visit("a", 0);
  const auto second = visit("b", 0);
  eventually([&] { return first->runs && second->runs; });
  Job job;
  job.function_id = {"c"};
  const auto beside = RunGate::beside(job);
  EXPECT_TRUE(loop_.run(gate_->take_permit(beside, job)));
  EXPECT_EQ(gate_->running(), 2);
  loop_.run(gate_->leave(beside, job));
  loop_.run(gate_->close(beside, job, true));
  EXPECT_EQ(gate_->running(), 2);
  EXPECT_EQ(gate_->free_slots(), 0);
  end(first);
  end(second);
}

}  // namespace
}  // namespace infra::worker
