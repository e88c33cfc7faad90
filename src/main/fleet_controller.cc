#include "main/fleet_controller.h"

#include "adapters/aws/dynamodb_function_store.h"
#include "adapters/redis/redis_announcements.h"
#include "adapters/redis/redis_probe.h"
#include "adapters/redis/redis_rate_limiter.h"
#include "adapters/redis/redis_result_bus.h"
#include "adapters/system/file_staging.h"
#include "adapters/system/system_random.h"
#include "app/adopt_result.h"
#include "main/controller.h"
#include "main/fleet_engines.h"
#include "net/redis_subscriber.h"
#include "telemetry/log.h"

namespace infra {

// In the order of construction: each part uses only what stands above it.
struct FleetController::Parts {
  Parts(const Config& c, const Variables& variables, DataFolder f, net::EventLoops& l, Executor& e, Clock& k);

  [[nodiscard]] net::RedisSubscription subscription();
  [[nodiscard]] RedisBusOptions bus_options();
  void hear(std::string_view channel, std::string payload);
  Task<void> adopt(JobResult result);

  const Config config;
  const DataFolder folder;
  net::EventLoops& loops;
  Executor& executor;
  Clock& clock;
  SystemRandom random;
  app::IdSource ids{clock, random};
  Metrics metrics;
  const std::string id = ids.request_id().value;  // of this controller, for as long as it runs

  FleetEngines engines;
  RedisAnnouncements announcements{engines.redis};
  DynamoDbFunctionStore functions;
  RedisResultBus results;
  RedisRateLimiter limiter;
  app::AdoptResult adoption{engines.recorder, clock};
  net::RedisSubscriber subscriber;
  FileStaging staging{folder.path() / "staging", executor};

  RedisProbe redis_probe;
  DynamoDbProbe functions_probe;
  Controller controller;
};

FleetController::Parts::Parts(const Config& c, const Variables& variables, DataFolder f, net::EventLoops& l,
                              Executor& e, Clock& k)
    : config(c),
      folder(std::move(f)),
      loops(l),
      executor(e),
      clock(k),
      engines(config, variables, folder.path(), loops, executor, clock, random),
      functions(engines.dynamodb, engines.fleet.functions_table, clock,
                [this](FunctionId changed) { return announcements.announce(std::move(changed)); }),
      results(engines.redis, engines.code, clock, executor, bus_options()),
      limiter(engines.redis, config.rate, clock, [this] { metrics.rate_judged_locally(); }),
      subscriber(loops, engines.fleet.redis, subscription()),
      redis_probe(engines.redis, [this] { return subscriber.subscribed(); }),
      functions_probe("functions", engines.dynamodb, engines.fleet.functions_table, {"functionId"}),
      controller(
          {.config = config,
           .limiter = limiter,
           .ids = ids,
           .metrics = metrics,
           .loops = loops,
           .executor = executor,
           .clock = clock},
          {.functions = functions,
           .code = engines.code,
           .queue = engines.queue,
           .results = results,
           .logs = engines.logs,
           .staging = staging,
           .workers = engines.workers,
           .probes = {&functions_probe, &engines.logs_probe, &engines.code_probe, &engines.queue_probe, &redis_probe}},
          engines.http) {}

RedisBusOptions FleetController::Parts::bus_options() {
  return {.controller_id = id,
          .subscribed = [this] { return subscriber.subscribed(); },
          .on_heard =
              [this](const JobResult& result) {
                metrics.run(result.function_id, result.status, result.duration_ms, result.handler_ms);
              },
          .on_foreign = [this](JobResult result) { executor.spawn(adopt(std::move(result))); }};
}

net::RedisSubscription FleetController::Parts::subscription() {
  net::RedisSubscription wanted;
  wanted.channels = {results.reply_channel(), std::string(RedisAnnouncements::kChannel)};
  wanted.patterns = {std::string(RedisResultBus::kReferencePattern)};
  wanted.on_message = [this](std::string_view channel, std::string payload) { hear(channel, std::move(payload)); };
  wanted.on_subscribed = [this] {
    results.resubscribed();
    functions.all_changed();
  };
  return wanted;
}

void FleetController::Parts::hear(std::string_view channel, std::string payload) {
  if (channel == RedisAnnouncements::kChannel) {
    functions.changed({std::move(payload)});
  } else {
    results.hear(channel, std::move(payload));
  }
}

Task<void> FleetController::Parts::adopt(JobResult result) {
  const RequestId request = result.request_id;
  const auto adopted = co_await adoption.adopt(std::move(result));
  if (!adopted) {
    log::warn("a reference worker's run could not be recorded",
              {{"requestId", request.value}, {"code", adopted.error().code}});
  }
}

FleetController::FleetController(const Config& config, const Variables& variables, DataFolder folder,
                                 net::EventLoops& loops, Executor& executor, Clock& clock)
    : parts_(std::make_unique<Parts>(config, variables, std::move(folder), loops, executor, clock)) {}

// Coroutines hold references to the parts: the threads end first.
FleetController::~FleetController() {
  parts_->controller.door().close();
  parts_->loops.stop();
}

Result<std::uint16_t> FleetController::start(const std::string& address) {
  auto& parts = *parts_;
  parts.engines.start();
  parts.subscriber.start();
  auto port = parts.controller.door().open(address);
  if (!port) return port;
  parts.loops.spawn(parts.functions.refresh());
  parts.loops.spawn(parts.results.watch());
  parts.loops.spawn(parts.engines.workers.watch());
  return port;
}

void FleetController::shut_down() {
  auto& parts = *parts_;
  parts.controller.door().stop_accepting();
  parts.loops.run_blocking(parts.controller.shut_down(parts.clock.steady_now() + parts.config.shutdown_timeout, {}));
}

}  // namespace infra
