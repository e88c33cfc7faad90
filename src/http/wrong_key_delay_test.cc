#include "http/wrong_key_delay.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <vector>

#include "http/test_api.h"

namespace infra::http {
namespace {

namespace asio = boost::asio;

TEST(WrongKeys, AreAnsweredLateAndNoMoreOfThemThanTheBoundWait) {
  ManualClock clock;
  asio::io_context loop;
  WrongKeyDelay delay(clock);
  std::size_t ended = 0;
  constexpr std::size_t kMore = 10;
  for (std::size_t i = 0; i < WrongKeyDelay::kMostAtOnce + kMore; ++i)
    asio::co_spawn(loop, delay.wait(), [&](const std::exception_ptr&) { ++ended; });
  loop.poll();
  EXPECT_EQ(ended, kMore);
  clock.advance(WrongKeyDelay::kDelay - milliseconds(1));
  loop.poll();
  EXPECT_EQ(ended, kMore);
  clock.advance(milliseconds(1));
  loop.restart();
  loop.run();
  EXPECT_EQ(ended, WrongKeyDelay::kMostAtOnce + kMore);
  // Their places are free again.
  const auto again = asio::co_spawn(loop, delay.wait(), asio::use_future);
  loop.restart();
  loop.poll();
  EXPECT_EQ(again.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  clock.advance(WrongKeyDelay::kDelay);
  loop.restart();
  loop.run();
}

TEST(WrongKeys, AreTheOnlyOnesThatWait) {
  int waits = 0;
  TestApi api({.rate = {.limit = 3}, .after_wrong_key = [&]() -> Task<void> {
                 ++waits;
                 co_return;
               }});
  EXPECT_EQ(api.get("/functions").status, 200);
  EXPECT_EQ(api.send({.target = "/functions", .key = {}}).status, 401);
  EXPECT_EQ(api.send({.target = "/health", .key = "wrong"}).status, 200);
  EXPECT_EQ(waits, 0);
  EXPECT_EQ(api.send({.target = "/functions", .key = "wrong"}).status, 401);
  EXPECT_EQ(waits, 1);
  EXPECT_EQ(api.send({.target = "/functions", .key = "wrong"}).status, 401);
  EXPECT_EQ(api.send({.target = "/functions", .key = "wrong"}).status, 429);
  EXPECT_EQ(waits, 2) << "one that is turned away for its rate learns nothing of the key";
  EXPECT_EQ(api.get("/functions").status, 200);
}

}  // namespace
}  // namespace infra::http
