// The simulated world keeps the promises of the ports that it stands in for, and does the same for the same seed.
#include "platform/virtual_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/at_end.h"
#include "platform/seeded_random.h"
#include "telemetry/task_failures.h"

namespace infra::sim {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A program of the world, without anything in it.
struct Program {
  explicit Program(VirtualWorld& w) : world(w) {}
  VirtualWorld& world;
  Process& process = world.scheduler().start_process("program");
  MachineTime time;
  VirtualClock clock{world.scheduler(), process, time};
  VirtualExecutor executor{world.scheduler(), process, clock};
};

std::string order_of(std::uint64_t seed) {
  VirtualWorld world(seed);
  std::string order;
  for (char name = 'a'; name < 'k'; ++name) {
    world.executor().spawn("naming", [](VirtualWorld& w, std::string& text, char own) -> Task<void> {
      text += own;
      co_await w.executor().offload([&] { text += own; });
      co_await w.clock().sleep_until(w.clock().steady_now() + seconds(own % 3));
      text += own;
    }(world, order, name));
  }
  world.run_until([&] { return order.size() == 30; });
  return order + std::to_string(world.scheduler().fingerprint());
}

TEST(VirtualWorld, TheSameSeedGoesTheSameWay) {
  EXPECT_EQ(order_of(1), order_of(1));
  EXPECT_NE(order_of(1), order_of(2));
}

TEST(VirtualWorld, AnHourPassesAtOnce) {
  VirtualWorld world(1);
  const auto begun = std::chrono::steady_clock::now();
  int looks = 0;
  world.executor().spawn("looking", [](VirtualWorld& w, int& count) -> Task<void> {
    for (; true; ++count) co_await w.clock().sleep_until(w.clock().steady_now() + seconds(1));
  }(world, looks));
  const WallTime before = world.clock().now();
  world.pass(hours(1));
  EXPECT_NEAR(looks, 3600, 1);
  EXPECT_GE(world.clock().now() - before, hours(1));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(5));
}

TEST(VirtualWorld, ASignalWakesItsWaiterAndIsNotLost) {
  VirtualWorld world(1);
  const auto early = world.clock().make_signal();
  const auto late = world.clock().make_signal();
  early->notify();
  std::vector<bool> woken;
  world.executor().spawn("notifying", [](VirtualWorld& w, Signal& signal) -> Task<void> {
    co_await w.clock().sleep_until(w.clock().steady_now() + seconds(1));
    signal.notify();
    signal.notify();
  }(world, *late));
  world.run([](VirtualWorld& w, Signal& first, Signal& second, std::vector<bool>& results) -> Task<void> {
    results.push_back(co_await first.wait_until(SteadyTime::max()));
    results.push_back(co_await second.wait_until(w.clock().steady_now() + milliseconds(10)));
    results.push_back(co_await second.wait_until(w.clock().steady_now() + seconds(10)));
  }(world, *early, *late, woken));
  EXPECT_THAT(woken, ElementsAre(true, false, true));
}

TEST(VirtualWorld, WhatBlocksPollsAndPausesWithoutStoppingOthers) {
  VirtualWorld world(1);
  const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::vector<int> ready;
  world.executor().spawn("writing", [](VirtualWorld& w, int descriptor) -> Task<void> {
    co_await w.executor().offload([&] { w.clock().pause_until(w.clock().steady_now() + seconds(5)); });
    (void)::eventfd_write(descriptor, 1);
  }(world, event));
  world.run([](VirtualWorld& w, int descriptor, std::vector<int>& results) -> Task<void> {
    co_await w.executor().offload([&] {
      pollfd one{.fd = descriptor, .events = POLLIN, .revents = 0};
      results.push_back(w.clock().poll({&one, 1}, w.clock().steady_now() + seconds(1)));
      results.push_back(w.clock().poll({&one, 1}, SteadyTime::max()));
      results.push_back(one.revents);
    });
    results.push_back(co_await w.executor().readable(descriptor, milliseconds(1)) ? 1 : 0);
  }(world, event, ready));
  ::close(event);
  EXPECT_THAT(ready, ElementsAre(0, 1, POLLIN, 1));
}

TEST(VirtualWorld, NothingReadableIsNoticedWhenPatienceEnds) {
  VirtualWorld world(1);
  const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  bool readable = true;
  world.run([](VirtualWorld& w, int descriptor, bool& result) -> Task<void> {
    result = co_await w.executor().readable(descriptor, milliseconds(5));
  }(world, event, readable));
  ::close(event);
  EXPECT_FALSE(readable);
}

TEST(VirtualWorld, WhatACallThrowsReachesItsCaller) {
  VirtualWorld world(1);
  std::string caught;
  world.run([](VirtualWorld& w, std::string& what) -> Task<void> {
    try {
      co_await w.executor().offload([&] {
        try {
          throw std::runtime_error("first");
        } catch (const std::runtime_error&) {
          w.clock().pause_until(w.clock().steady_now() + seconds(1));  // while another one throws, too
          throw;
        }
      });
    } catch (const std::runtime_error& error) {
      what = error.what();
    }
  }(world, caught));
  EXPECT_EQ(caught, "first");
}

TEST(VirtualWorld, ATaskThatThrowsIsTheOwnersAffair) {
  VirtualWorld world(1);
  bool told = false;
  const auto before = task_failures()["a world's task"];
  world.executor().spawn({"a world's task", [&] { told = true; }}, []() -> Task<void> {
    throw std::runtime_error("broken");
    co_return;
  }());
  world.run_until([&] { return told; });
  EXPECT_EQ(task_failures()["a world's task"], before + 1);
  EXPECT_TRUE(world.outside().tasks.empty());
}

TEST(VirtualWorld, YieldingLetsWhatIsReadyRunFirst) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    VirtualWorld world(seed);
    std::string order;
    const auto say = [](std::string& text, char own) -> Task<void> {
      text += own;
      co_return;
    };
    bool over = false;
    world.executor().spawn("yielding", [](VirtualWorld& w, std::string& text, bool& done, auto word) -> Task<void> {
      w.executor().spawn("one", word(text, '1'));
      w.executor().spawn("two", word(text, '2'));
      co_await w.executor().yield();
      co_await w.executor().yield();
      co_await w.executor().yield();
      text += 'y';
      done = true;
    }(world, order, over, say));
    world.run_until([&] { return over; });
    EXPECT_EQ(order.back(), 'y') << "seed " << seed;
    EXPECT_EQ(order.size(), 3U) << "seed " << seed;
  }
}

TEST(VirtualWorld, ThePoolHasSoManyThreadsAndNoMore) {
  VirtualWorld world(1);
  world.outside().blocking_threads = 3;
  int now = 0, most = 0, ended = 0;
  for (int i = 0; i < 10; ++i) {
    world.executor().spawn("calling", [](VirtualWorld& w, int& at_once, int& peak, int& count) -> Task<void> {
      co_await w.executor().offload([&] {
        peak = std::max(peak, ++at_once);
        w.clock().pause_until(w.clock().steady_now() + seconds(1));
        --at_once;
      });
      ++count;
    }(world, now, most, ended));
  }
  world.run_until([&] { return ended == 10; });
  EXPECT_EQ(most, 3);
}

TEST(VirtualWorld, BackgroundWorkComesInSteps) {
  VirtualWorld world(1);
  int queued = 3, done = 0;
  std::vector<std::int64_t> at;
  const auto begun = world.clock().steady_now();
  auto background = world.executor().background("steps", [&]() -> SteadyTime {
    if (queued == 0) return SteadyTime::max();
    --queued;
    ++done;
    const auto now = world.clock().steady_now();
    at.push_back(std::chrono::floor<seconds>(now - begun).count());
    return now + seconds(1);
  });
  EXPECT_EQ(done, 0) << "it begins when it is woken";
  background->wake();
  background->wake();
  world.run_until([&] { return done == 3; });
  EXPECT_THAT(at, ElementsAre(0, 1, 2));
  queued = 2;
  background->run_until([&] { return queued == 0; });
  EXPECT_EQ(done, 5);
}

TEST(VirtualWorld, AProgramIsEndedBetweenTwoOfItsSteps) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    VirtualWorld world(seed);
    Program program(world);
    int begun = 0, ended = 0, destroyed = 0, returned = 0;
    const auto task = [](Program& p, int& b, int& e, int& d, int& r, int own) -> Task<void> {
      ++b;
      const AtEnd gone([&] { ++d; });
      const auto never = p.clock.make_signal();
      if (own % 3 == 0) co_await never->wait_until(SteadyTime::max());
      if (own % 3 == 1) co_await p.clock.sleep_until(SteadyTime::max());
      co_await p.executor.offload([&] {
        p.clock.pause_until(SteadyTime::max());
        ++r;
      });
      ++e;
    };
    for (int i = 0; i < 9; ++i) program.executor.spawn("waiting", task(program, begun, ended, destroyed, returned, i));
    const int steps = static_cast<int>(world.dice().below(40));
    for (int i = 0; i < steps; ++i) world.scheduler().step();
    world.scheduler().kill(program.process);
    EXPECT_EQ(ended, 0);
    EXPECT_EQ(destroyed, begun);
    EXPECT_LE(returned, 3);
    EXPECT_THAT(program.process.tasks, IsEmpty());
    EXPECT_THAT(world.scheduler().waiting(), ::testing::Not(HasSubstr("program")));
    program.executor.spawn("too late", task(program, begun, ended, destroyed, returned, 0));
    world.pass(hours(3));
    EXPECT_EQ(ended, 0);
    EXPECT_THAT(program.process.tasks, IsEmpty());
  }
}

TEST(VirtualWorld, AProgramThatStopsWaitsForItsCalls) {
  VirtualWorld world(1);
  Program program(world);
  bool returned = false, resumed = false, destroyed = false;
  program.executor.spawn("calling", [](Program& p, bool& r, bool& back, bool& gone) -> Task<void> {
    const AtEnd end([&] { gone = true; });
    co_await p.executor.offload([&] {
      p.clock.pause_until(p.clock.steady_now() + seconds(30));
      r = true;
    });
    back = true;
  }(program, returned, resumed, destroyed));
  world.pass(seconds(1));
  program.executor.stop();
  EXPECT_TRUE(returned);
  EXPECT_FALSE(resumed);
  EXPECT_TRUE(destroyed);
}

TEST(VirtualWorld, AFrozenProgramRunsLater) {
  VirtualWorld world(1);
  Program program(world);
  WorldTime ran{0};
  program.executor.spawn("running", [](VirtualWorld& w, WorldTime& when) -> Task<void> {
    when = w.scheduler().now();
    co_return;
  }(world, ran));
  program.process.frozen_until = seconds(9);
  world.run_until([&] { return ran.count() > 0; });
  EXPECT_GE(ran, seconds(9));
}

TEST(VirtualWorld, ClocksDriftAndJumpAndTheSteadyOneNeverGoesBack) {
  VirtualWorld world(1);
  Program program(world);
  program.time.set_drift(world.scheduler().now(), 10'000);  // 1%
  const auto steady = program.clock.steady_now();
  const auto wall = program.clock.now();
  world.run([](VirtualWorld& w) -> Task<void> {
    co_await w.clock().sleep_until(w.clock().steady_now() + seconds(1000));
  }(world));
  EXPECT_NEAR(std::chrono::duration<double>(program.clock.steady_now() - steady).count(), 1010, 0.1);
  program.time.set_wall_off(-hours(1));
  EXPECT_LT(program.clock.now(), wall);
  EXPECT_GT(program.clock.steady_now(), steady);
  program.time.set_drift(world.scheduler().now(), -10'000);
  const auto before = program.clock.steady_now();
  EXPECT_GE(program.clock.steady_now(), before);
  WorldTime woken{0};
  const WorldTime began = world.scheduler().now();
  program.executor.spawn("sleeping", [](VirtualWorld& w, Program& p, WorldTime& when) -> Task<void> {
    const auto deadline = p.clock.steady_now() + seconds(99);
    co_await p.clock.sleep_until(deadline);
    EXPECT_GE(p.clock.steady_now(), deadline);
    when = w.scheduler().now();
  }(world, program, woken));
  world.run_until([&] { return woken.count() > 0; });
  EXPECT_NEAR(std::chrono::duration<double>(woken - began).count(), 100, 0.1);
}

TEST(VirtualWorld, AWorldThatIsStuckSaysWhatWaits) {
  VirtualWorld world(1);
  const auto never = world.clock().make_signal();
  world.executor().spawn("the one that waits",
                         [](Signal& signal) -> Task<void> { co_await signal.wait_until(SteadyTime::max()); }(*never));
  try {
    world.run_until([] { return false; });
    FAIL() << "it is stuck";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("outside: the one that waits: waits for a signal"));
  }
}

TEST(VirtualWorld, AnEventThreadThatBlocksIsToldOf) {
  VirtualWorld world(1);
  EXPECT_THROW(world.run([](VirtualWorld& w) -> Task<void> {
    w.clock().pause_until(w.clock().steady_now() + seconds(1));
    co_return;
  }(world)),
               std::logic_error);
}

TEST(SeededRandom, RepeatsItself) {
  std::array<std::byte, 16> one{}, same{}, other{};
  SeededRandom(Dice(7)).fill(one);
  SeededRandom(Dice(7)).fill(same);
  SeededRandom(Dice(8)).fill(other);
  EXPECT_EQ(one, same);
  EXPECT_NE(one, other);
}

}  // namespace
}  // namespace infra::sim
