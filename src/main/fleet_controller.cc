#include "main/fleet_controller.h"

#include "adapters/aws/dynamodb/dynamodb_function_store.h"
#include "adapters/redis/redis_announcements.h"
#include "adapters/redis/redis_events.h"
#include "adapters/redis/redis_probe.h"
#include "adapters/redis/redis_rate_limiter.h"
#include "adapters/redis/redis_result_bus.h"
#include "adapters/system/file_staging.h"
#include "app/adopt_result.h"
#include "async/supervised.h"
#include "main/controller.h"
#include "main/disk_watch.h"
#include "main/fleet_engines.h"
#include "telemetry/log.h"

namespace infra {
namespace {

constexpr std::chrono::seconds kSubscriptionWait{2};
// DynamoDB refuses requests whose signature is five minutes old; their clock may be as far from ours.
constexpr std::chrono::minutes kLateWrites{15};

}  // namespace

// In the order of construction: each part uses only what stands above it.
struct FleetController::Parts {
  Parts(Program& p, const Variables& variables);

  [[nodiscard]] net::RedisSubscription subscription();
  [[nodiscard]] SqsQueueOptions queue_options();
  [[nodiscard]] RedisBusOptions bus_options();
  void hear(std::string_view channel, std::string payload);
  Task<void> adopt(JobResult result);
  [[nodiscard]] std::vector<HealthProbe*> probes();

  Program& program;
  const std::string id = program.ids.request_id().value;  // of this controller, for as long as it runs

  FleetEngines engines;
  RedisAnnouncements announcements{*engines.redis};
  DynamoDbFunctionStore functions;
  RedisResultBus results;
  RedisRateLimiter limiter;
  app::EventFeed feed{program.clock, program.ids.request_id().value.substr(24)};
  RedisEvents events{*engines.redis, program.clock, program.executor, program.metrics, &feed};
  app::AdoptResult adoption{engines.recorder, program.clock};
  std::unique_ptr<net::RedisSubscriber> subscriber;
  DiskWatch disk{program};
  FileStaging staging{program.folder.path() / "staging", program.executor, disk.admits(Action::stop_uploads)};
  std::atomic<bool> stopping = false;

  RedisProbe redis_probe;
  DynamoDbProbe functions_probe;
  ConfigurationProbe configuration_probe{engines.configuration};
  Controller controller;
};

FleetController::Parts::Parts(Program& p, const Variables& variables)
    : program(p),
      engines(program, variables, queue_options()),
      functions(engines.dynamodb, engines.fleet.functions_table, program.clock,
                [this](FunctionId changed) { return announcements.announce(std::move(changed)); }),
      results(*engines.redis, engines.code, program.clock, program.executor, bus_options()),
      limiter(*engines.redis, program.config.rate, program.clock, program.metrics),
      subscriber(program.network.redis_subscriber(engines.fleet.redis, subscription())),
      redis_probe(*engines.redis, [this] { return subscriber->subscribed(); }),
      functions_probe("functions", engines.dynamodb, engines.fleet.functions_table, {"functionId"}),
      controller(program, {.limiter = limiter,
                           .concurrency = engines.concurrency,
                           .http = *engines.http,
                           .functions = functions,
                           .code = engines.code,
                           .queue = engines.queue,
                           .results = results,
                           .logs = engines.logs,
                           .series = engines.series,
                           .quarantine = engines.quarantine,
                           .configuration = &engines.configuration,
                           .staging = staging,
                           .workers = engines.workers,
                           .feed = feed,
                           .live = events,
                           .probes = probes(),
                           .late_writes = kLateWrites}) {}

std::vector<HealthProbe*> FleetController::Parts::probes() {
  return {&functions_probe,     &engines.logs_probe, &engines.code_probe,
          &engines.queue_probe, &redis_probe,        &configuration_probe};
}

RedisBusOptions FleetController::Parts::bus_options() {
  return {
      .controller_id = id,
      .subscribed = [this] { return subscriber->subscribed(); },
      .on_heard =
          [this](const JobResult& result) {
            program.events.run_finished(result);
            program.metrics.run(result.function_id, result.status, result.duration_ms, result.handler_ms);
          },
      .on_foreign = [this](JobResult result) { program.executor.spawn("adopting a result", adopt(std::move(result))); },
      .on_reference_worker = [this] { engines.workers.note_reference_worker(); }};
}

SqsQueueOptions FleetController::Parts::queue_options() {
  return {.on_send = [this](const Job& job, bool input_apart) {
    results.note_sent(job.request_id, {.function = job.function_id, .input_apart = input_apart});
  }};
}

net::RedisSubscription FleetController::Parts::subscription() {
  net::RedisSubscription wanted;
  wanted.channels = {results.reply_channel(), std::string(RedisAnnouncements::kChannel),
                     std::string(RedisEvents::kChannel)};
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
  } else if (channel == RedisEvents::kChannel) {
    if (!feed.is_wanted()) return;
    if (payload == RedisEvents::kGap) return feed.miss();
    if (auto event = parse_message(payload)) feed.tell(std::move(*event));
  } else {
    results.hear(channel, std::move(payload));
  }
}

Task<void> FleetController::Parts::adopt(JobResult result) {
  const RequestId request = result.request_id;
  const std::string trace = result.trace_id;
  const auto adopted = co_await adoption.adopt(std::move(result));
  if (!adopted) {
    log::warn("a reference worker's run could not be recorded",
              {{"requestId", request.value}, {"traceId", trace}, {"code", adopted.error().code}});
  }
}

FleetController::FleetController(Program& program, const Variables& variables)
    : parts_(std::make_unique<Parts>(program, variables)) {}

// Coroutines hold references to the parts: the threads end first.
FleetController::~FleetController() {
  parts_->controller.door().close();
  parts_->program.network.stop();
}

Result<std::uint16_t> FleetController::start(const std::string& address) {
  auto& parts = *parts_;
  parts.engines.start();
  parts.subscriber->start();
  // The first request finds health and answers as they will be. Without Redis it opens all the same, and health says
  // so.
  parts.subscriber->wait_until_subscribed(kSubscriptionWait);
  auto port = parts.controller.door().open(address);
  if (!port) return port;
  auto& program = parts.program;
  spawn_supervised(program.executor, program.clock, "refreshing functions",
                   [&parts] { return parts.functions.refresh(); });
  spawn_supervised(program.executor, program.clock, "watching results", [&parts] { return parts.results.watch(); });
  spawn_supervised(program.executor, program.clock, "watching the disk",
                   [&parts] { return parts.disk.watch_on(parts.stopping); });
  spawn_supervised(program.executor, program.clock, "watching listeners", [&parts] { return parts.events.watch(); });
  spawn_supervised(program.executor, program.clock, "watching workers",
                   [&parts] { return parts.engines.workers.watch(); });
  spawn_supervised(program.executor, program.clock, "writing sums of runs",
                   [&parts] { return parts.engines.keep_series(parts.stopping); });
  spawn_supervised(program.executor, program.clock, "watching the quarantine",
                   [&parts] { return parts.engines.quarantine.watch(); });
  return port;
}

void FleetController::shut_down() {
  auto& parts = *parts_;
  auto& program = parts.program;
  parts.stopping = true;
  parts.controller.door().stop_accepting();
  const SteadyTime deadline = program.clock.steady_now() + program.config.shutdown_timeout;
  program.network.run_blocking(
      parts.controller.shut_down(deadline, [&parts, deadline] { return parts.engines.finish_series(deadline); }));
}

}  // namespace infra
