#include "main/setup_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <utility>
#include <vector>

#include "adapters/aws/auth/credential_chain.h"
#include "adapters/aws/dynamodb/table_setup.h"
#include "adapters/aws/s3/bucket_setup.h"
#include "adapters/aws/sqs/queue_setup.h"
#include "adapters/system/system_clock.h"
#include "adapters/system/system_executor.h"
#include "adapters/system/system_random.h"
#include "cli/failure.h"
#include "core/text.h"
#include "main/config.h"
#include "main/fleet_endpoints.h"
#include "main/system_network.h"
#include "net/loops/event_loops.h"
#include "telemetry/log.h"

namespace infra {
namespace {

using aws::ResourceReport;
using State = ResourceReport::State;

constexpr std::string_view kFunctionsTable = "InfraFunctions";
constexpr std::string_view kQueue = "infra-jobs";
constexpr milliseconds kRedisPatience{3000};
constexpr int kOldestRedis = 602;  // 6.2

std::string_view to_string(State state) {
  switch (state) {
    case State::ok:
      return "ok";
    case State::made:
      return "made";
    case State::changed:
      return "changed";
    case State::missing:
      return "missing";
    case State::differs:
      return "differs";
    case State::unknown:
      return "unknown";
    case State::failed:
      return "failed";
  }
  return "";
}

// What `infra serve` needs and is not there yet, in words that its configuration takes.
struct Wanted {
  FleetConfig fleet;
  std::string queue;
  bool has_queue_url = false;
  bool has_redis = false;
};

std::expected<Wanted, ConfigProblems> read_wanted(Variables& variables, ConfigProblems problems) {
  const auto given = [&](const char* name) {
    const auto found = variables.find(name);
    return found != variables.end() && !found->second.empty();
  };
  Wanted wanted{
      .fleet = {}, .queue = std::string(kQueue), .has_queue_url = given("SQS_URL"), .has_redis = given("REDIS_HOST")};
  if (!given("TABLE_NAME")) variables["TABLE_NAME"] = kFunctionsTable;
  if (!given("INFRA_API_KEY")) variables["INFRA_API_KEY"] = "unused";
  if (!wanted.has_redis) variables["REDIS_HOST"] = "localhost";
  if (!wanted.has_queue_url) variables["SQS_URL"] = fmt::format("https://queue.invalid/0/{}", kQueue);
  const auto config = read_config(variables, Command::serve);
  if (!config) std::ranges::copy(config.error().sentences, std::back_inserter(problems.sentences));
  if (!problems.sentences.empty()) return std::unexpected(std::move(problems));
  wanted.fleet = *config->fleet;
  wanted.queue = wanted.fleet.queue_url.substr(wanted.fleet.queue_url.rfind('/') + 1);
  if (!wanted.has_queue_url) wanted.fleet.queue_url.clear();
  return wanted;
}

std::string line_of(std::string_view info, std::string_view name) {
  const auto at = info.find(fmt::format("{}:", name));
  if (at == std::string_view::npos) return "";
  const auto value = info.substr(at + name.size() + 1);
  return std::string(value.substr(0, value.find_first_of("\r\n")));
}

// 6.2.14 -> 602
int version_of(std::string_view text) {
  const auto dot = text.find('.');
  const auto major = parse_whole(text.substr(0, dot));
  const auto rest = dot == std::string_view::npos ? "0" : text.substr(dot + 1);
  const auto minor = parse_whole(rest.substr(0, rest.find('.')));
  return static_cast<int>(major.value_or(0) * 100 + minor.value_or(0));
}

// Nothing is made here, and nothing changed: a server of Redis belongs to whoever runs it.
Task<ResourceReport> look_at_redis(net::RedisClient& redis, const net::RedisOptions& options) {
  ResourceReport report{.kind = "redis", .name = fmt::format("{}:{}", options.host, options.port)};
  redis.start();
  const auto info = co_await redis.command({"INFO", "server"}, "", kRedisPatience);
  if (!info) {
    report.state = State::failed;
    report.detail = info.error().message;
    co_return report;
  }
  const std::string version = line_of(info->text, "redis_version");
  if (version_of(version) < kOldestRedis) {
    report.state = State::differs;
    report.detail = fmt::format("It is version {}; 6.2 or newer is needed.", version);
    co_return report;
  }
  const auto policy = co_await redis.command({"CONFIG", "GET", "maxmemory-policy"}, "", kRedisPatience);
  if (!policy || policy->elements.size() < 2) {
    report.state = State::unknown;
    report.detail = "Its maxmemory-policy can't be asked for; it must be noeviction.";
  } else if (policy->elements[1].text != "noeviction") {
    report.state = State::differs;
    report.detail = fmt::format(
        "Its maxmemory-policy is {}; with another than noeviction results and leases that were promised can be lost.",
        policy->elements[1].text);
  }
  co_return report;
}

struct Done {
  std::vector<ResourceReport> reports;
  std::string queue_url;
};

Task<void> set_up(const Wanted& wanted, const Variables& variables, aws::OnMissing how, ProgramNetwork& network,
                  Executor& executor, Clock& clock, Random& random, Done& done) {
  const FleetConfig& fleet = wanted.fleet;
  const auto http = network.http_client();
  const auto credentials = aws::make_credential_chain(variables, fleet.region, *http, executor, clock);
  aws::AwsClient s3(s3_of(fleet), *http, *credentials, clock, random);
  aws::AwsClient sqs(sqs_of(fleet), *http, *credentials, clock, random);
  aws::AwsClient dynamodb(dynamodb_of(fleet), *http, *credentials, clock, random);
  const auto add = [&](std::vector<ResourceReport> reports) {
    std::ranges::move(reports, std::back_inserter(done.reports));
  };
  add(co_await aws::set_up_bucket(s3, fleet.bucket, how));
  const std::vector<aws::TableWish> tables{
      {.name = fleet.functions_table, .hash = "functionId"},
      {.name = fleet.logs_table, .hash = "functionId", .range = "timestamp", .ttl = "expiresAt"},
      {.name = fleet.configuration_table, .hash = "pk", .range = "sk", .ttl = "expiresAt"}};
  for (const aws::TableWish& table : tables)
    done.reports.push_back(co_await aws::set_up_table(dynamodb, clock, table, how));
  auto queues = co_await aws::set_up_queues(sqs, wanted.queue, how);
  add(std::move(queues.reports));
  done.queue_url = queues.url;
  if (!wanted.has_redis) co_return;
  const auto redis = network.redis_client(fleet.redis);
  done.reports.push_back(co_await look_at_redis(*redis, fleet.redis));
}

void print_table(const Done& done) {
  std::size_t kind = 0, name = 0;
  for (const ResourceReport& one : done.reports) {
    kind = std::max(kind, one.kind.size());
    name = std::max(name, one.name.size());
  }
  for (const ResourceReport& one : done.reports) {
    fmt::print("{:<8} {:<{}} {}\n", to_string(one.state), one.kind, kind, one.name);
    if (!one.detail.empty()) fmt::print("         {}\n", one.detail);
  }
}

void print_json(const Done& done) {
  boost::json::array resources;
  for (const ResourceReport& one : done.reports) {
    resources.push_back(boost::json::object{{"resource", one.kind},
                                            {"name", one.name},
                                            {"state", to_string(one.state)},
                                            {"ok", one.will_do()},
                                            {"detail", one.detail}});
  }
  fmt::print("{}\n", boost::json::serialize(
                         boost::json::object{{"resources", std::move(resources)}, {"queueUrl", done.queue_url}}));
}

// What the programs of the fleet are to be told, where it is not what they were told already.
void print_next(const Wanted& wanted, const Done& done) {
  std::string lines;
  if (!wanted.has_queue_url && !done.queue_url.empty()) lines += fmt::format("  SQS_URL={}\n", done.queue_url);
  if (wanted.fleet.functions_table == kFunctionsTable) lines += fmt::format("  TABLE_NAME={}\n", kFunctionsTable);
  if (!wanted.has_redis) lines += "  REDIS_HOST=…  (Redis is not looked at without it)\n";
  if (!lines.empty()) fmt::print("\nControllers and workers need, beside AWS_REGION and BUCKET_NAME:\n{}", lines);
}

}  // namespace

int run_setup(const SetupOptions& options) {
  ConfigProblems problems;
  std::vector<std::string> warnings;
  Variables variables = collect_variables(problems, warnings);
  const auto wanted = read_wanted(variables, std::move(problems));
  if (!wanted) {
    for (const std::string& sentence : wanted.error().sentences) fmt::print(stderr, "infra: {}\n", sentence);
    return std::to_underlying(cli::Exit::usage);
  }
  log::set_level(log::Level::error);  // the table says what there is to say
  net::EventLoops loops(1, 2);
  SystemNetwork network(loops);
  SystemExecutor executor(loops);
  SystemClock clock;
  SystemRandom random;
  Done done;
  const auto how = options.check ? aws::OnMissing::check : aws::OnMissing::make;
  network.run_blocking(set_up(*wanted, variables, how, network, executor, clock, random, done));
  network.stop();
  if (options.json) {
    print_json(done);
  } else {
    print_table(done);
    print_next(*wanted, done);
  }
  const bool all = std::ranges::all_of(done.reports, &ResourceReport::will_do);
  if (!all && options.check && !options.json) fmt::print("\n`infra setup aws` makes what is missing.\n");
  return std::to_underlying(all ? cli::Exit::ok : cli::Exit::platform_failed);
}

}  // namespace infra
