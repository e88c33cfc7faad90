#include "telemetry/task_failures.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <stdexcept>

#include "core/text.h"
#include "telemetry/log.h"

namespace infra {
namespace {

template <typename T>
T run(Task<T> task) {
  boost::asio::io_context loop;
  auto ended = boost::asio::co_spawn(loop, std::move(task), boost::asio::use_future);
  loop.run();
  return ended.get();
}

Task<Result<int>> three() {
  co_return 3;
}

Task<Result<int>> broken() {
  throw std::runtime_error("a secret place");
  co_return 3;
}

Task<void> broken_too() {
  throw 7;
  co_return;
}

TEST(TaskFailures, AnExceptionIsToldCountedAndAnError) {
  EXPECT_EQ(run(caught("counting", three())), 3);
  const auto failed = run(caught("counting", broken(), "r-1"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, errors::internal);
  EXPECT_EQ(failed.error().message.find("secret"), std::string::npos);
  const std::string line = log::recent_lines().back();
  for (const auto* part : {R"("task":"counting")", R"("requestId":"r-1")", "a secret place"})
    EXPECT_NE(line.find(part), std::string::npos) << line;
  EXPECT_FALSE(run(caught("counting", broken_too())));
  EXPECT_EQ(task_failures().at("counting"), 2U);
}

TEST(TaskFailuresDeathTest, AFailedAllocationIsNoTasksFault) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(report_task_failure("any", std::make_exception_ptr(std::bad_alloc())), "");
}

}  // namespace
}  // namespace infra
