// Heartbeats reach the path that controllers of both kinds have, and what a controller says to them is told when it
// changes.
#include "main/heartbeats.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "adapters/memory/memory_worker_registry.h"
#include "adapters/system/system_clock.h"
#include "core/mutex.h"
#include "net/http/beast_http_server.h"
#include "net/http/curl_http_client.h"
#include "net/loops/event_loops.h"
#include "support/manual_clock.h"
#include "telemetry/log.h"

namespace infra {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Heartbeat beat_of(const std::string& worker) {
  Heartbeat beat;
  beat.worker_id = {worker};
  return beat;
}

class HeartbeatsTest : public ::testing::Test {
 protected:
  HeartbeatsTest()
      : server_(
            loops_, {}, [this](net::Request& request) { return answer(request); },
            [](const Error&) { return net::Response{.status = 500, .headers = {}, .body = {}}; }) {
    EXPECT_TRUE(server_.start());
    config_.api_key = "ten-chars!";
    config_.controller_url = "http://127.0.0.1:" + std::to_string(server_.port());
  }
  ~HeartbeatsTest() override {
    server_.close();
    loops_.stop();
  }

  void beat(int status) {
    status_ = status;
    loops_.run_blocking(beats_.beat());
  }
  static std::vector<std::string> told() {
    std::vector<std::string> lines;
    for (auto& line : log::recent_lines()) {
      if (line.find("heartbeats") != std::string::npos) lines.push_back(std::move(line));
    }
    return lines;
  }

  net::EventLoops loops_{1, 1};
  Mutex mutex_;
  std::vector<std::string> asked_ INFRA_GUARDED_BY(mutex_);
  std::atomic<int> status_ = 200;
  net::BeastHttpServer server_;
  Config config_;
  SystemClock clock_;
  MemoryWorkerRegistry registry_{clock_};
  net::CurlHttpClient http_{loops_};
  Heartbeats beats_{config_, registry_, http_, clock_, [] { return beat_of("w-1"); }};

 private:
  Task<net::Response> answer(net::Request& request) {
    const auto body = co_await net::read_all(*request.body, 4096);
    {
      const MutexLock lock(mutex_);
      asked_.push_back(fmt::format("{} {} {} {}", request.method, request.path,
                                   request.headers.find("x-api-key").value_or(""), body.value()));
    }
    co_return net::Response{.status = status_, .headers = {}, .body = "{}"};
  }
};

TEST_F(HeartbeatsTest, GoWhereControllersOfBothKindsTakeThem) {
  beat(200);
  const MutexLock lock(mutex_);
  EXPECT_THAT(asked_, ElementsAre(AllOf(HasSubstr("POST /api/worker/heartbeat ten-chars! "),
                                        HasSubstr(R"("workerId":"w-1")"))));
}

TEST(HeartbeatsInTime, AreOneEveryTwoSecondsUntilTheyAreStopped) {
  net::EventLoops loops{1, 1};
  ManualClock clock;
  MemoryWorkerRegistry registry{clock};
  net::CurlHttpClient http{loops};
  const Config config;  // without a CONTROLLER_URL
  std::atomic<int> beats = 0;
  Heartbeats heartbeats(config, registry, http, clock, [&] {
    ++beats;
    return beat_of("w-1");
  });
  std::atomic<bool> ended = false;
  loops.spawn("test", [](Heartbeats& beating, std::atomic<bool>& done) -> Task<void> {
    co_await beating.beat_on();
    done = true;
    done.notify_all();
  }(heartbeats, ended));
  clock.await_sleepers(1);
  EXPECT_EQ(beats, 1);
  for (int i = 2; i <= 4; ++i) {
    clock.advance(std::chrono::seconds{1});
    EXPECT_EQ(beats, i - 1) << "not before its time";
    clock.advance(std::chrono::seconds{1});
    while (beats < i) std::this_thread::yield();
    clock.await_sleepers(1);
  }
  heartbeats.stop();
  ended.wait(false);
  EXPECT_EQ(beats, 4);
  loops.stop();
}

TEST_F(HeartbeatsTest, AnAnswerIsToldWhenItIsAnother) {
  for (const int status : {200, 204, 401, 401, 404, 404, 404, 200, 200, 503}) beat(status);
  EXPECT_THAT(told(), ElementsAre(AllOf(HasSubstr("do not arrive"), HasSubstr("401")),
                                  AllOf(HasSubstr("do not arrive"), HasSubstr("404")), HasSubstr("arrive again"),
                                  AllOf(HasSubstr("do not arrive"), HasSubstr("503"))));
}

}  // namespace
}  // namespace infra
