// The contract suites' world over the simulated AWS: they block their own thread while they wait, so that one event
// thread and a clock that moves by itself go on beside them.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "adapters/aws/aws_client.h"
#include "adapters/system/system_executor.h"
#include "contract/engine_world.h"
#include "net/loops/event_loops.h"
#include "platform/engines/aws/test_world.h"

namespace infra::simulation {

// Everything of the simulation runs on the one event thread; a test looks into it while nothing is under way.
class SimulatedAwsWorld : public EngineWorld {
 public:
  ~SimulatedAwsWorld() override {
    ends_ = true;
    ticker_.join();
    loops.stop();
  }

  void run_void(Task<void> task) override { loops.run_blocking(std::move(task)); }
  void spawn(Task<void> task) override { loops.spawn("test", std::move(task)); }
  void advance(milliseconds step) override {
    service_clock.advance(step);
    clock.advance(step);
  }
  void await_sleepers(std::size_t count) override { clock.await_sleepers(count); }
  [[nodiscard]] WallTime now() const override { return clock.now(); }
  [[nodiscard]] SteadyTime deadline_in(milliseconds wait) const override { return clock.steady_now() + wait; }

  [[nodiscard]] static aws::AwsService service(const std::string& name) {
    return {.name = name, .region = std::string(SimulatedAws::kRegion), .endpoint = SimulatedAws::endpoint(name)};
  }

  ManualClock clock;          // the adapters'
  ManualClock service_clock;  // AWS's and the clients': passes by itself, so that a pause or a poll ends
  TestSeed random;
  net::EventLoops loops{1, 2};
  SystemExecutor executor{loops};
  SimulatedAws aws{service_clock, random};
  SimulatedHttpClient http{aws, service_clock};
  testing::StaticCredentials credentials{"AKIDEXAMPLE", "secret"};
  aws::AwsClient s3{service("s3"), http, credentials, service_clock, random};
  aws::AwsClient sqs{service("sqs"), http, credentials, service_clock, random};
  aws::AwsClient dynamodb{service("dynamodb"), http, credentials, service_clock, random};

 private:
  void tick() {
    while (!ends_) {
      std::this_thread::sleep_for(milliseconds{1});
      service_clock.advance(milliseconds{10});
    }
  }

  std::atomic<bool> ends_ = false;
  std::thread ticker_{[this] { tick(); }};
};

}  // namespace infra::simulation
