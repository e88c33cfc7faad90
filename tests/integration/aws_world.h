// What the engines on AWS stand on in the contract tests: real event loops, the services on loopback behind the gate,
// and a clock that the test moves together with theirs.
#pragma once

#include <utility>

#include "adapters/aws/aws_client.h"
#include "adapters/system/system_clock.h"
#include "adapters/system/system_executor.h"
#include "adapters/system/system_random.h"
#include "contract/engine_world.h"
#include "net/http/curl_http_client.h"
#include "net/loops/event_loops.h"
#include "support/aws_peers.h"
#include "support/manual_clock.h"
#include "support/static_credentials.h"

namespace infra {

class AwsWorld : public EngineWorld {
 public:
  ~AwsWorld() override { loops.stop(); }

  void run_void(Task<void> task) override { loops.run_blocking(std::move(task)); }
  void spawn(Task<void> task) override { loops.spawn("test", std::move(task)); }
  void advance(milliseconds step) override {
    peers.advance(step);
    clock.advance(step);
  }
  void await_sleepers(std::size_t count) override { clock.await_sleepers(count); }
  [[nodiscard]] WallTime now() const override { return clock.now(); }
  [[nodiscard]] SteadyTime deadline_in(milliseconds wait) const override { return clock.steady_now() + wait; }

  [[nodiscard]] aws::AwsService service(std::string name, std::string endpoint) const {
    return {.name = std::move(name), .region = peers.region(), .endpoint = std::move(endpoint)};
  }

  testing::AwsPeers& peers = testing::AwsPeers::shared();
  ManualClock clock;       // the adapters'
  SystemClock real_clock;  // the clients': signatures carry the true date, and a retry's pause ends by itself
  net::EventLoops loops{2, 2};
  SystemExecutor executor{loops};
  SystemRandom random;
  net::CurlHttpClient http{loops};
  testing::StaticCredentials credentials{peers.access_key_id(), peers.secret_access_key()};
  aws::AwsClient s3{service("s3", peers.s3_endpoint()), http, credentials, real_clock, random};
  aws::AwsClient sqs{service("sqs", peers.sqs_endpoint()), http, credentials, real_clock, random};
  aws::AwsClient dynamodb{service("dynamodb", peers.dynamodb_endpoint()), http, credentials, real_clock, random};
};

}  // namespace infra
