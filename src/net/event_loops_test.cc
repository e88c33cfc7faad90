#include "net/event_loops.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <csignal>
#include <future>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "net/one_shot_event.h"

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
    loops.spawn(note_thread(promise));
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
  loops.spawn(raise_flag(flag, child));
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
    loops.spawn(note_thread(promise));
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

TEST(EventLoopsTest, WaitingCoroutinesAreDestroyedOnTheirOwnThread) {
  constexpr int kWaiters = 8;
  std::atomic<int> on_own_thread = 0;
  std::promise<void> go;
  EventLoops loops(2, 1);
  for (int i = 0; i < kWaiters; ++i) {
    std::promise<void> waiting;
    loops.spawn(wait_for_ever(on_own_thread, waiting));
    waiting.get_future().wait();
  }
  std::promise<void> started;
  const std::shared_future<void> gone = go.get_future().share();
  loops.spawn(offload_for_ever(loops, on_own_thread, started, gone));
  started.get_future().wait();
  std::thread stopper([&] { loops.stop(); });
  go.set_value();
  stopper.join();
  EXPECT_EQ(on_own_thread, kWaiters + 1);
}

}  // namespace
}  // namespace infra::net
