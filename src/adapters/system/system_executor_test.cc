#include "adapters/system/system_executor.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace infra {
namespace {

Task<void> offload_and_compare(Executor& executor, std::promise<bool>& kept_thread) {
  const std::thread::id event_thread = std::this_thread::get_id();
  std::thread::id work_thread;
  co_await executor.offload([&work_thread] { work_thread = std::this_thread::get_id(); });
  kept_thread.set_value(std::this_thread::get_id() == event_thread && work_thread != event_thread);
}

TEST(SystemExecutorTest, SpawnedTaskOffloadsAndComesBackToItsThread) {
  net::EventLoops loops(2, 1);
  SystemExecutor executor(loops);
  std::promise<bool> kept_thread;
  executor.spawn("test", offload_and_compare(executor, kept_thread));
  EXPECT_TRUE(kept_thread.get_future().get());
}

}  // namespace
}  // namespace infra
