#include "net/loops/event_loops.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <csignal>
#include <future>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "net/loops/one_shot_event.h"
#include "telemetry/task_failures.h"

namespace infra::net {
namespace {

TEST(EventLoopsTest, RefusesToRunWithoutThreads) {
  EXPECT_THROW(EventLoops(0, 1), std::invalid_argument);
  EXPECT_THROW(EventLoops(1, 0), std::invalid_argument);
}

Task<void> note_thread(std::promise<std::thread::id>& promise) {
  promise.set_value(std::this_thread::get_id());
  co_return;
}

TEST(EventLoopsTest, SpawnFromOutsideGoesRoundTheThreads) {
  EventLoops loops(3, 1);
  std::set<std::thread::id> threads;
  for (int i = 0; i < 6; ++i) {
    std::promise<std::thread::id> promise;
    loops.spawn("test", note_thread(promise));
    threads.insert(promise.get_future().get());
  }
  EXPECT_EQ(threads.size(), 3U);
}

Task<void> raise_flag(bool& flag, std::thread::id& where) {
  flag = true;
  where = std::this_thread::get_id();
  co_return;
}

Task<void> spawn_and_look(EventLoops& loops, bool& inlined, bool& flag, std::thread::id& own, std::thread::id& child) {
  own = std::this_thread::get_id();
  loops.spawn("test", raise_flag(flag, child));
  inlined = flag;
  co_return;
}

TEST(EventLoopsTest, SpawnFromAnEventThreadStaysThereAndNeverRunsInline) {
  EventLoops loops(2, 1);
  bool inlined = true;
  bool flag = false;
  std::thread::id own;
  std::thread::id child;
  loops.run_blocking(spawn_and_look(loops, inlined, flag, own, child));
  // Both loops empty their queues before they can answer a second round.
  for (int i = 0; i < 2; ++i) {
    std::promise<std::thread::id> promise;
    loops.spawn("test", note_thread(promise));
    promise.get_future().wait();
  }
  EXPECT_FALSE(inlined);
  EXPECT_TRUE(flag);
  EXPECT_EQ(own, child);
}

Task<void> offload_throwing(EventLoops& loops) {
  co_await loops.offload([] { throw std::runtime_error("from the pool"); });
}

TEST(EventLoopsTest, WhatOffloadedWorkThrowsReachesTheCaller) {
  EventLoops loops(1, 1);
  EXPECT_THROW(loops.run_blocking(offload_throwing(loops)), std::runtime_error);
}

Task<void> break_down() {
  throw std::runtime_error("a task's own trouble");
  co_return;
}

TEST(EventLoopsTest, AnExceptionCostsItsTaskAndIsItsOwnersAffair) {
  EventLoops loops(1, 1);
  std::promise<void> told;
  loops.spawn({"broken task", [&] { told.set_value(); }}, break_down());
  told.get_future().wait();
  EXPECT_EQ(task_failures().at("broken task"), 1U);
  EXPECT_THROW(loops.run_blocking(break_down()), std::runtime_error) << "who waits for a task owns it";
}

TEST(EventLoopsTest, AnExceptionOfAHandlerCostsNoOther) {
  EventLoops loops(1, 1);
  boost::asio::post(loops.loop(0), [] { throw std::runtime_error("a handler's own trouble"); });
  loops.run_blocking([](EventLoops& own) -> Task<void> { co_await own.yield(); }(loops));
  EXPECT_EQ(task_failures().at("event handler"), 1U);
}

TEST(EventLoopsTest, ADescriptorThatCanNotBeWatchedIsNotReadable) {
  EventLoops loops(1, 1);
  bool readable = true;
  loops.run_blocking([](EventLoops& own, bool& result) -> Task<void> {
    result = co_await own.readable(-1, std::chrono::hours(1));
  }(loops, readable));
  EXPECT_FALSE(readable);
}

TEST(EventLoopsTest, RunBlockingOnAnEventThreadIsRefusedInsteadOfHanging) {
  EventLoops loops(1, 1);
  const auto nested = [](EventLoops& own) -> Task<void> {
    std::promise<std::thread::id> promise;
    own.run_blocking(note_thread(promise));
    co_return;
  };
  EXPECT_THROW(loops.run_blocking(nested(loops)), std::logic_error);
}

TEST(EventLoopsTest, EventThreadsBlockSignalsAndTheCallerDoesNot) {
  EventLoops loops(1, 1);
  bool blocked = false;
  const auto look = [](bool& result) -> Task<void> {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    result = sigismember(&mask, SIGTERM) == 1;
    co_return;
  };
  loops.run_blocking(look(blocked));
  EXPECT_TRUE(blocked);
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGTERM), 0);
}

// Says on which thread a coroutine's frame went.
struct DestroyedOn {
  std::thread::id own = std::this_thread::get_id();
  std::atomic<int>* on_own_thread;
  explicit DestroyedOn(std::atomic<int>& counter) : on_own_thread(&counter) {}
  ~DestroyedOn() {
    if (std::this_thread::get_id() == own) ++*on_own_thread;
  }
  DestroyedOn(const DestroyedOn&) = delete;
  DestroyedOn& operator=(const DestroyedOn&) = delete;
};

Task<void> wait_for_ever(std::atomic<int>& on_own_thread, std::promise<void>& waiting) {
  DestroyedOn destroyed(on_own_thread);
  const std::shared_ptr<OneShotEvent> never = OneShotEvent::create();
  waiting.set_value();
  (void)co_await never->wait_until(SteadyTime::max());
}

Task<void> offload_for_ever(EventLoops& loops, std::atomic<int>& on_own_thread, std::promise<void>& started,
                            std::shared_future<void> go) {
  DestroyedOn destroyed(on_own_thread);
  co_await loops.offload([&started, go] {
    started.set_value();
    go.wait();
  });
}

Task<void> read_for_ever(EventLoops& loops, int descriptor, std::atomic<int>& on_own_thread,
                         std::promise<void>& waiting) {
  DestroyedOn destroyed(on_own_thread);
  waiting.set_value();
  (void)co_await loops.readable(descriptor, std::chrono::hours(1));
}

TEST(EventLoopsTest, SpawnOnEachGivesEachThreadOne) {
  EventLoops loops(3, 1);
  std::array<std::promise<std::thread::id>, 3> promises;
  std::size_t made = 0;
  loops.spawn_on_each("test", [&] { return note_thread(promises.at(made++)); });
  std::set<std::thread::id> threads;
  for (auto& promise : promises) threads.insert(promise.get_future().get());
  EXPECT_EQ(threads.size(), 3U);
}

class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK), 0); }
  ~Pipe() {
    ::close(ends_[0]);
    close_writer();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  [[nodiscard]] int reader() const { return ends_[0]; }
  void write() const { EXPECT_EQ(::write(ends_[1], "x", 1), 1); }
  void close_writer() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

Task<void> wait_again_and_again(EventLoops& loops, Pipe& pipe, std::vector<bool>& seen) {
  using std::chrono::milliseconds;
  char byte = 0;
  seen.push_back(co_await loops.readable(pipe.reader(), milliseconds(1)));  // nothing there
  pipe.write();
  seen.push_back(co_await loops.readable(pipe.reader(), milliseconds(60'000)));  // there before the wait
  seen.push_back(::read(pipe.reader(), &byte, 1) == 1);                          // still open, and still the caller's
  std::thread writer([&] { pipe.write(); });
  seen.push_back(co_await loops.readable(pipe.reader(), milliseconds(60'000)));
  writer.join();
  seen.push_back(::read(pipe.reader(), &byte, 1) == 1);
  pipe.close_writer();
  seen.push_back(co_await loops.readable(pipe.reader(), milliseconds(60'000)));  // its end
}

TEST(EventLoopsTest, AnEventThreadWaitsForADescriptorWithoutOwningIt) {
  EventLoops loops(1, 1);
  Pipe pipe;
  std::vector<bool> seen;
  loops.run_blocking(wait_again_and_again(loops, pipe, seen));
  EXPECT_EQ(seen, (std::vector<bool>{false, true, true, true, true, true}));
}

Task<void> note_order(EventLoops& loops, std::vector<int>& order) {
  const auto event = OneShotEvent::create();
  std::promise<void> done;
  loops.spawn(
      "test",
      [](std::shared_ptr<OneShotEvent> awaited, std::vector<int>& steps, std::promise<void>& end) -> Task<void> {
        (void)co_await awaited->wait_until(SteadyTime::max());
        steps.push_back(2);
        end.set_value();
      }(event, order, done));
  for (int i = 0; i < 3; ++i) co_await loops.yield();  // it waits by now
  order.push_back(1);
  event->notify();
  co_await loops.yield();
  order.push_back(3);
  done.get_future().wait();
}

TEST(EventLoopsTest, WhoYieldsAfterNotifyingComesAfterTheWaiter) {
  EventLoops loops(1, 1);
  std::vector<int> order;
  loops.run_blocking(note_order(loops, order));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(EventLoopsTest, WaitingCoroutinesAreDestroyedOnTheirOwnThread) {
  constexpr int kWaiters = 8;
  std::atomic<int> on_own_thread = 0;
  std::promise<void> go;
  const Pipe pipe;
  EventLoops loops(2, 1);
  for (int i = 0; i < kWaiters; ++i) {
    std::promise<void> waiting;
    loops.spawn("test", wait_for_ever(on_own_thread, waiting));
    waiting.get_future().wait();
  }
  std::promise<void> reading;
  loops.spawn("test", read_for_ever(loops, pipe.reader(), on_own_thread, reading));
  reading.get_future().wait();
  std::promise<void> started;
  const std::shared_future<void> gone = go.get_future().share();
  loops.spawn("test", offload_for_ever(loops, on_own_thread, started, gone));
  started.get_future().wait();
  std::thread stopper([&] { loops.stop(); });
  go.set_value();
  stopper.join();
  EXPECT_EQ(on_own_thread, kWaiters + 2);
}

}  // namespace
}  // namespace infra::net
