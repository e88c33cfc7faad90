#include "telemetry/thread_stacks.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <future>
#include <thread>

namespace infra {
namespace {

TEST(ThreadStacks, AThreadThatWaitsAndTakesNoSignalsSaysWhereItIs) {
  std::promise<void> go;
  std::promise<void> named;
  std::thread waiter;
  {
    const QuietThreads quiet;
    waiter = std::thread([&, waited = go.get_future()] {
      pthread_setname_np(pthread_self(), "waiter");
      named.set_value();
      waited.wait();
    });
  }
  named.get_future().wait();
  const auto stacks = all_stacks();
  go.set_value();
  waiter.join();
  const auto found = std::ranges::find(stacks, "waiter", &ThreadStack::name);
  ASSERT_NE(found, stacks.end());
  EXPECT_NE(found->frames.find("libc.so"), std::string::npos) << found->frames;
  EXPECT_NE(found->frames.find("telemetry_test+0x"), std::string::npos) << found->frames;
}

}  // namespace
}  // namespace infra
