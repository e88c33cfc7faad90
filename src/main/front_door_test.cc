// The front door over a socket: the configuration's settings reach the interface, engines are probed before it opens,
// and it closes in order.
#include "main/front_door.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <thread>

#include "adapters/memory/memory_rate_limiter.h"
#include "adapters/system/system_clock.h"
#include "adapters/system/system_executor.h"
#include "adapters/system/system_random.h"
#include "core/error_codes.h"
#include "http/error_response.h"
#include "main/system_network.h"
#include "net/http/curl_http_client.h"
#include "support/temp_folder.h"

namespace infra {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class Probe final : public HealthProbe {
 public:
  Result<void> outcome;
  int asked = 0;
  [[nodiscard]] std::string name() const override { return "queue"; }
  Task<Result<void>> probe() override {
    ++asked;
    co_return outcome;
  }
};

Task<Result<net::Response>> hello(http::Context&) {
  co_return http::json_response(200, "{}");
}

class FrontDoorTest : public ::testing::Test {
 protected:
  FrontDoorTest() {
    config_.port = 0;
    config_.api_key = "the-key";
    config_.rate.limit = 0;
  }
  ~FrontDoorTest() override {
    if (door_) door_->close();
    loops_.stop();
  }

  Result<std::uint16_t> open() {
    program_.emplace(config_, DataFolder::open(folder_.path()).value(), network_, executor_, clock_, random_, machine_);
    limiter_.emplace(config_.rate, clock_);
    door_.emplace(
        *program_, *limiter_, std::vector<HealthProbe*>{&probe_}, [] { return gauges(); },
        [this](http::MonitoringHandler& status) {
          auto routes = http::worker_routes(status, true, config_.metrics_public);
          routes.push_back({"POST", "/hello", http::Access::key, http::Rate::limited, hello});
          return routes;
        });
    auto port = door_->open("127.0.0.1");
    if (port) url_ = "http://127.0.0.1:" + std::to_string(*port);
    return port;
  }
  Result<net::Response> ask(std::string method, const std::string& path, std::vector<net::Header> headers = {}) {
    Result<net::Response> answer;
    net::ClientRequest request{.method = std::move(method), .url = url_ + path};
    for (auto& [name, value] : headers) request.headers.add(std::move(name), std::move(value));
    loops_.run_blocking(send(std::move(request), answer));
    return answer;
  }
  int status_of(std::string method, const std::string& path, std::vector<net::Header> headers = {}) {
    const auto answer = ask(std::move(method), path, std::move(headers));
    return answer ? answer->status : 0;
  }

  Config config_;
  Probe probe_;
  testing::TempFolder folder_;
  net::EventLoops loops_{2, 1};
  SystemNetwork network_{loops_};
  SystemExecutor executor_{loops_};
  SystemClock clock_;
  SystemRandom random_;
  HostMachine machine_ = this_machine();
  std::optional<net::CurlHttpClient> http_{std::in_place, loops_};
  std::optional<Program> program_;
  std::optional<MemoryRateLimiter> limiter_;
  std::optional<FrontDoor> door_;

 private:
  static Task<GaugeSample> gauges() {
    GaugeSample sample;
    sample.jobs_running = 7;
    co_return sample;
  }
  Task<void> send(net::ClientRequest request, Result<net::Response>& answer) {
    answer = co_await http_->send(std::move(request));
  }
  std::string url_;
};

TEST_F(FrontDoorTest, TheKeyIsTheConfigurations) {
  ASSERT_TRUE(open());
  EXPECT_EQ(status_of("POST", "/hello"), 401);
  EXPECT_EQ(status_of("POST", "/hello", {{"x-api-key", "another"}}), 401);
  EXPECT_EQ(status_of("POST", "/hello", {{"x-api-key", "the-key"}}), 200);
  EXPECT_EQ(status_of("GET", "/metrics"), 401);
}

TEST_F(FrontDoorTest, SoAreOriginsHopsAndRate) {
  config_.cors_origins = {"https://dash.example"};
  config_.trusted_proxy_hops = 1;
  config_.rate = {.limit = 1, .window = std::chrono::hours{1}};
  config_.metrics_public = true;
  ASSERT_TRUE(open());
  const auto from = [&](const char* address) {
    return status_of("POST", "/hello", {{"x-api-key", "the-key"}, {"X-Forwarded-For", address}});
  };
  EXPECT_EQ(from("10.0.0.1"), 200);
  EXPECT_EQ(from("10.0.0.1"), 429);
  EXPECT_EQ(from("10.0.0.2"), 200);
  const auto shared = ask("GET", "/health", {{"Origin", "https://dash.example"}});
  ASSERT_TRUE(shared);
  EXPECT_EQ(shared->headers.find("Access-Control-Allow-Origin"), "https://dash.example");
  EXPECT_EQ(status_of("GET", "/metrics"), 200);
}

TEST_F(FrontDoorTest, EnginesAreProbedBeforeItOpens) {
  probe_.outcome = fail(errors::engine_unavailable, "The queue is away.");
  ASSERT_TRUE(open());
  EXPECT_EQ(probe_.asked, 1);
  const auto answer = ask("GET", "/health");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(boost::json::parse(answer->body).at("checks").at("queue").at("error"), "The queue is away.");
}

TEST_F(FrontDoorTest, RequestsInFlightAreAddedToTheGauges) {
  config_.metrics_public = true;
  ASSERT_TRUE(open());
  const auto answer = ask("GET", "/metrics");
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->body, HasSubstr("\nhttp_requests_in_flight 1\n"));
  EXPECT_THAT(answer->body, HasSubstr("\njobs_running 7\n"));
}

TEST_F(FrontDoorTest, WhatIsOpenIsToldThatItStopsAndNothingNewIsLetIn) {
  ASSERT_TRUE(open());
  ASSERT_EQ(status_of("GET", "/health"), 200);
  door_->stop_accepting();
  const auto answer = ask("GET", "/health");
  if (answer) {  // the connection that was kept
    EXPECT_EQ(answer->status, 503);
    EXPECT_EQ(boost::json::parse(answer->body).at("draining"), true);
  } else {
    EXPECT_THAT(answer.error().code, AnyOf("http_unreachable", "http_unavailable"));
  }
  http_.emplace(loops_);  // without a connection
  EXPECT_EQ(status_of("GET", "/health"), 0);
}

TEST_F(FrontDoorTest, TheMachineSaysHowManyDescriptorsAreOpen) {
  machine_.descriptor_limit = 1000;
  machine_.open_descriptors = [] { return std::size_t{950}; };
  ASSERT_TRUE(open());
  while (!program_->overload.pressure(Resource::descriptors)) std::this_thread::yield();
  EXPECT_EQ(program_->overload.pressure(Resource::descriptors), 0.95);
}

TEST_F(FrontDoorTest, APortInUseIsNamed) {
  const auto port = open();
  ASSERT_TRUE(port);
  Config second = config_;
  second.port = *port;
  testing::TempFolder folder;
  Program program{second, DataFolder::open(folder.path()).value(), network_, executor_, clock_, random_};
  FrontDoor door(
      program, *limiter_, {}, [] { return Task<GaugeSample>(); },
      [](http::MonitoringHandler&) { return std::vector<http::Route>{}; });
  const auto refused = door.open("127.0.0.1");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr(std::to_string(*port)));
  door.close();
}

}  // namespace
}  // namespace infra
