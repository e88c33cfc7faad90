// What an operator can set: Config's members, and the table of the variables that they are read from. A variable is a
// member and a row here. Parsing and defaults follow from the table; so do the README's tables and what `./dev` and the
// fleet script pass on, by way of tools/variables.py, which reads this text: a row's strings are plain literals.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "core/error.h"
#include "core/sliding_window.h"
#include "net/redis/redis_client.h"
#include "sandbox/protocol/egress_options.h"

namespace infra {

// A fleet's role may have no right to a table of this name, which nobody has asked for.
inline constexpr std::string_view kConfigurationTable = "InfraConfiguration";

// The services that a fleet stands on.
struct FleetConfig {
  std::string region;
  std::string bucket;
  std::string functions_table;
  std::string logs_table;
  std::string configuration_table;  // there may be none
  std::string queue_url;
  net::RedisOptions redis;
  // In place of AWS's own; empty: those of the region.
  std::string s3_endpoint;
  std::string sqs_endpoint;
  std::string dynamodb_endpoint;
};

// Its defaults are the table's: read_config alone makes a complete one.
struct Config {
  std::uint16_t port = 0;
  std::string api_key;
  std::string secrets_key;                // SecretsKey's text; empty: there is none
  std::filesystem::path tls_cert_file{};  // both, or neither
  std::filesystem::path tls_key_file{};
  RatePolicy rate;
  int trusted_proxy_hops = 0;
  std::string ai_node_url;
  milliseconds ai_node_timeout{};
  std::filesystem::path data_dir;
  bool isolate = true;                      // INFRA_SANDBOX=none turns it off
  bool python_exec = false;                 // an interpreter's start an instance, instead of a fork of a loaded one
  std::filesystem::path python_packages{};  // absolute; what all Python functions can import; empty: nothing
  sandbox::EgressOptions egress;
  bool metrics_public = false;
  std::string otlp_endpoint;  // of a collector of spans; empty: there is none
  std::vector<std::string> cors_origins;
  std::chrono::seconds shutdown_timeout{};
  std::chrono::milliseconds health_interval{500};
  std::chrono::seconds idle_timeout{};  // then an instance without calls ends
  int max_waiting = 0;                  // a function's runs that wait for its maxConcurrency
  std::optional<FleetConfig> fleet;     // not there: the embedded engines
  std::string controller_url;           // where a worker sends its heartbeats besides Redis; may be empty
};

// How a value is read. `member` and its like find what it goes to; members of `fleet` are asked for in a fleet alone.
struct Whole {
  std::int64_t least;
  std::int64_t most;
  void (*store)(Config&, std::int64_t);
};
struct Flag {
  bool& (*member)(Config&);
};
struct Text {
  std::string& (*member)(Config&);
};
struct Path {
  std::filesystem::path& (*member)(Config&);
};
struct Url {
  std::string_view example;
  std::string& (*member)(Config&);
};
// What is wrong with a value, if anything is, without a full stop.
using Complaint = std::optional<std::string>;
// Parts separated by commas.
struct List {
  Complaint (*add)(Config&, std::string_view part);
};
// The complaint goes on after the variable's name: "must be …".
struct Parsed {
  Complaint (*take)(Config&, const std::string& value);
};
// Not by read_config, but by the source of credentials, or by a service manager.
struct ReadElsewhere {};

enum class VariableRole : std::uint8_t {
  machine,        // read by every command
  fleet_needs,    // has to be set in a fleet; one that is set makes a fleet
  fleet_chooses,  // makes a fleet as well, and has a default
  fleet,          // read in a fleet
  worker,         // of `infra worker`, and told with the fleet's
  elsewhere,      // the AWS credentials', told with the fleet's
  service,        // the systemd unit's, told with the service
};

struct ConfigVariable {
  std::string_view name;
  VariableRole role = VariableRole::machine;
  std::string_view fallback{};         // what counts if it is not set, read as a value is; empty: nothing does
  std::string_view worker_fallback{};  // the same for `infra worker`, where it has one of its own
  std::string_view unset{};            // what the documents say counts then, where `fallback` doesn't say it
  std::variant<ReadElsewhere, Whole, Flag, Text, Path, Url, List, Parsed> value{};
  std::string_view about{};  // the README's words; empty: those of the row above hold for both
};

namespace config_rows {

template <typename Member>
consteval Whole whole(std::int64_t least, std::int64_t most, Member) {
  return {least, most, [](Config& config, std::int64_t value) {
            auto& member = Member{}(config);
            member = static_cast<std::remove_reference_t<decltype(member)>>(value);
          }};
}

template <typename Item>
Complaint add_to(std::vector<Item>& items, Result<Item> item) {
  if (!item) return item.error().message;
  items.push_back(std::move(*item));
  return std::nullopt;
}

[[nodiscard]] Complaint take_secrets_key(Config& config, const std::string& value);
[[nodiscard]] Complaint take_sandbox(Config& config, const std::string& value);
[[nodiscard]] Complaint take_egress_subnet(Config& config, const std::string& value);
[[nodiscard]] Complaint add_origin(Config& config, std::string_view origin);

}  // namespace config_rows

// In the documents' order, which is also that of a start's complaints.
inline constexpr auto kConfigVariables = std::to_array<ConfigVariable>({
    {.name = "INFRA_API_KEY",
     .unset = "needed (`infra dev` makes one)",
     .value = Text{[](Config& c) -> auto& { return c.api_key; }},
     .about = "the secret that clients send as `x-api-key`"},
    {.name = "INFRA_SECRETS_KEY",
     .unset = "one machine: made, and kept in the data folder",
     .value = Parsed{config_rows::take_secrets_key},
     .about = "32 bytes in base64 (`openssl rand -base64 32`), the same for all controllers, by which [keys' "
              "secrets](docs/keys.md#signed-requests) are sealed"},
    {.name = "PORT",
     .fallback = "8080",
     .worker_fallback = "8001",
     .value = config_rows::whole(0, 65535, [](Config& c) -> auto& { return c.port; }),
     .about = "HTTP port; 0 takes any free one. `infra worker` has its own `/health` and `/metrics` there"},
    {.name = "TLS_CERT_FILE",
     .value = Path{[](Config& c) -> auto& { return c.tls_cert_file; }},
     .about = "a certificate with its chain, and its key, in PEM: the port then speaks HTTPS alone "
              "([more](docs/operations.md#tls))"},
    {.name = "TLS_KEY_FILE", .value = Path{[](Config& c) -> auto& { return c.tls_key_file; }}},
    {.name = "INFRA_DATA_DIR",
     .fallback = "./.infra",
     .value = Path{[](Config& c) -> auto& { return c.data_dir; }},
     .about = "the folder for functions, jobs, results and logs"},
    {.name = "RATE_LIMIT",
     .fallback = "100",
     .value = config_rows::whole(0, 1'000'000, [](Config& c) -> auto& { return c.rate.limit; }),
     .about = "requests let through in any window, an address; 0 turns it off"},
    {.name = "RATE_LIMIT_WINDOW_SECONDS",
     .fallback = "60",
     .value = config_rows::whole(1, 86'400, [](Config& c) -> auto& { return c.rate.window; })},
    {.name = "TRUSTED_PROXY_HOPS",
     .fallback = "0",
     .value = config_rows::whole(0, 16, [](Config& c) -> auto& { return c.trusted_proxy_hops; }),
     .about = "proxies in front: the client is the Nth `X-Forwarded-For` entry from the right"},
    {.name = "AI_NODE_URL",
     .fallback = "http://127.0.0.1:11434",
     .value = Url{"http://127.0.0.1:11434", [](Config& c) -> auto& { return c.ai_node_url; }},
     .about = "Ollama, and how long its catalogue may take (ms)"},
    {.name = "AI_NODE_TIMEOUT",
     .fallback = "2000",
     .value = config_rows::whole(1, 60'000, [](Config& c) -> auto& { return c.ai_node_timeout; })},
    {.name = "OTEL_EXPORTER_OTLP_ENDPOINT",
     .value = Url{"http://127.0.0.1:4318", [](Config& c) -> auto& { return c.otlp_endpoint; }},
     .about = "a collector that takes OTLP over HTTP: each request's spans are sent there"},
    {.name = "METRICS_PUBLIC",
     .fallback = "false",
     .value = Flag{[](Config& c) -> auto& { return c.metrics_public; }},
     .about = "`true`: `/metrics` needs no key"},
    {.name = "CORS_ORIGINS",
     .value = List{config_rows::add_origin},
     .about = "origins that browsers may call from, separated by commas, or `*`"},
    {.name = "INFRA_IDLE_TIMEOUT_SECONDS",
     .fallback = "600",
     .value = config_rows::whole(1, 86'400, [](Config& c) -> auto& { return c.idle_timeout; }),
     .about = "when an instance that nobody calls ends"},
    {.name = "INFRA_MAX_WAITING",
     .fallback = "100",
     .value = config_rows::whole(0, 100'000, [](Config& c) -> auto& { return c.max_waiting; }),
     .about = "how many runs of a function with a `maxConcurrency` may wait for it"},
    {.name = "SHUTDOWN_TIMEOUT_SECONDS",
     .fallback = "30",
     .value = config_rows::whole(0, 3600, [](Config& c) -> auto& { return c.shutdown_timeout; }),
     .about = "how long a stop waits for what runs"},
    {.name = "INFRA_HEALTH_INTERVAL_MS",
     .fallback = "500",
     .value = config_rows::whole(100, 60'000, [](Config& c) -> auto& { return c.health_interval; }),
     .about = "how often each engine is asked whether it works; in a fleet each time is a request that AWS counts"},
    {.name = "INFRA_SANDBOX",
     .unset = "isolated",
     .value = Parsed{config_rows::take_sandbox},
     .about = "`none` runs functions without isolation, with a warning at every start"},
    {.name = "INFRA_EGRESS_ALLOW",
     .value = List{[](Config& c, std::string_view part) {
       return config_rows::add_to(c.egress.allow, sandbox::parse_egress_opening(part));
     }},
     .about = "what functions with [egress](docs/functions.md#network) may reach though it is not public: IPv4 ranges, "
              "each with an optional `:port`, separated by commas"},
    {.name = "INFRA_EGRESS_BLOCK",
     .value = List{[](Config& c, std::string_view part) {
       return config_rows::add_to(c.egress.block, sandbox::parse_ipv4_range(part));
     }},
     .about = "ranges that they may not reach, beside private ones, this machine and the engines configured here"},
    {.name = "INFRA_EGRESS_DNS",
     .unset = "the machine's",
     .value = List{[](Config& c, std::string_view part) {
       return config_rows::add_to(c.egress.resolvers, sandbox::parse_ipv4(part));
     }},
     .about = "their resolvers: up to three IPv4 addresses"},
    {.name = "INFRA_EGRESS_SUBNET",
     .fallback = "198.18.0.0/15",
     .value = Parsed{config_rows::take_egress_subnet},
     .about = "the range that their own addresses are taken from, /20 or larger"},
    {.name = "INFRA_PYTHON_EXEC",
     .fallback = "false",
     .value = Flag{[](Config& c) -> auto& { return c.python_exec; }},
     .about = "`true`: each Python instance starts an interpreter, with an address layout of its own, instead of being "
              "forked from a loaded one"},
    {.name = "INFRA_PYTHON_PACKAGES",
     .value = Path{[](Config& c) -> auto& { return c.python_packages; }},
     .about = "a folder of [packages that all Python functions can "
              "import](docs/operations.md#packages-for-python)"},

    {.name = "AWS_REGION",
     .role = VariableRole::fleet_needs,
     .value = Text{[](Config& c) -> auto& { return c.fleet->region; }},
     .about = "the region"},
    {.name = "BUCKET_NAME",
     .role = VariableRole::fleet_needs,
     .value = Text{[](Config& c) -> auto& { return c.fleet->bucket; }},
     .about = "the S3 bucket for code, results and large payloads"},
    {.name = "TABLE_NAME",
     .role = VariableRole::fleet_needs,
     .value = Text{[](Config& c) -> auto& { return c.fleet->functions_table; }},
     .about = "the DynamoDB tables for functions and execution logs"},
    {.name = "LOGS_TABLE_NAME",
     .role = VariableRole::fleet_chooses,
     .fallback = "InfraExecutionLogs",
     .value = Text{[](Config& c) -> auto& { return c.fleet->logs_table; }}},
    {.name = "CONFIG_TABLE_NAME",
     .role = VariableRole::fleet,
     .fallback = kConfigurationTable,
     .value = Text{[](Config& c) -> auto& { return c.fleet->configuration_table; }},
     .about = "the DynamoDB table for functions' [names](docs/http-api.md#names); without it they are found by id "
              "alone"},
    {.name = "SQS_URL",
     .role = VariableRole::fleet_needs,
     .value = Url{"https://sqs.eu-west-1.amazonaws.com/123456789012/infra-jobs",
                  [](Config& c) -> auto& { return c.fleet->queue_url; }},
     .about = "the job queue, standard or `.fifo`"},
    {.name = "S3_ENDPOINT",
     .role = VariableRole::fleet,
     .unset = "the region's",
     .value = Url{"http://127.0.0.1:4566", [](Config& c) -> auto& { return c.fleet->s3_endpoint; }},
     .about = "in place of AWS's own"},
    {.name = "SQS_ENDPOINT",
     .role = VariableRole::fleet,
     .unset = "the region's",
     .value = Url{"http://127.0.0.1:4566", [](Config& c) -> auto& { return c.fleet->sqs_endpoint; }}},
    {.name = "DYNAMODB_ENDPOINT",
     .role = VariableRole::fleet,
     .unset = "the region's",
     .value = Url{"http://127.0.0.1:8000", [](Config& c) -> auto& { return c.fleet->dynamodb_endpoint; }}},
    {.name = "REDIS_HOST",
     .role = VariableRole::fleet_needs,
     .value = Text{[](Config& c) -> auto& { return c.fleet->redis.host; }},
     .about = "Redis: one server, or any node of a cluster"},
    {.name = "REDIS_PORT",
     .role = VariableRole::fleet,
     .fallback = "6379",
     .value = config_rows::whole(1, 65535, [](Config& c) -> auto& { return c.fleet->redis.port; })},
    {.name = "REDIS_USERNAME",
     .role = VariableRole::fleet,
     .value = Text{[](Config& c) -> auto& { return c.fleet->redis.username; }},
     .about = "an ACL user, or the password alone"},
    {.name = "REDIS_PASSWORD", .role = VariableRole::fleet, .value = Text{[](Config& c) -> auto& {
                                                              return c.fleet->redis.password;
                                                            }}},
    {.name = "REDIS_TLS",
     .role = VariableRole::fleet,
     .fallback = "false",
     .value = Flag{[](Config& c) -> auto& { return c.fleet->redis.tls; }},
     .about = "`true`: TLS, verified against the system's authorities or that file's"},
    {.name = "REDIS_CA_FILE",
     .role = VariableRole::fleet,
     .unset = "the system's",
     .value = Text{[](Config& c) -> auto& { return c.fleet->redis.ca_file; }}},
    {.name = "CONTROLLER_URL",
     .role = VariableRole::worker,
     .value = Url{"http://10.0.0.5:8080", [](Config& c) -> auto& { return c.controller_url; }},
     .about = "a worker's: where it sends heartbeats too, with `INFRA_API_KEY`"},

    {.name = "AWS_ACCESS_KEY_ID",
     .role = VariableRole::elsewhere,
     .about = "AWS credentials, the first of the usual chain: keys"},
    {.name = "AWS_SECRET_ACCESS_KEY", .role = VariableRole::elsewhere},
    {.name = "AWS_SESSION_TOKEN", .role = VariableRole::elsewhere},
    {.name = "AWS_WEB_IDENTITY_TOKEN_FILE",
     .role = VariableRole::elsewhere,
     .about = "then a role by web identity, at that token service"},
    {.name = "AWS_ROLE_ARN", .role = VariableRole::elsewhere},
    {.name = "AWS_ROLE_SESSION_NAME", .role = VariableRole::elsewhere},
    {.name = "AWS_ENDPOINT_URL_STS", .role = VariableRole::elsewhere},
    {.name = "AWS_STS_REGIONAL_ENDPOINTS", .role = VariableRole::elsewhere},
    {.name = "AWS_PROFILE", .role = VariableRole::elsewhere, .about = "then a profile, in those files"},
    {.name = "AWS_SHARED_CREDENTIALS_FILE", .role = VariableRole::elsewhere},
    {.name = "AWS_CONFIG_FILE", .role = VariableRole::elsewhere},
    {.name = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
     .role = VariableRole::elsewhere,
     .about = "then the container's"},
    {.name = "AWS_CONTAINER_CREDENTIALS_FULL_URI", .role = VariableRole::elsewhere},
    {.name = "AWS_CONTAINER_AUTHORIZATION_TOKEN", .role = VariableRole::elsewhere},
    {.name = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", .role = VariableRole::elsewhere},
    {.name = "AWS_EC2_METADATA_DISABLED",
     .role = VariableRole::elsewhere,
     .unset = "the machine is asked",
     .about = "and last the machine's, from that service; `true`: not from there"},
    {.name = "AWS_EC2_METADATA_SERVICE_ENDPOINT", .role = VariableRole::elsewhere, .unset = "EC2's"},
    {.name = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", .role = VariableRole::elsewhere, .unset = "IPv4"},

    {.name = "INFRA_OPTIONS",
     .role = VariableRole::service,
     .about = "options of the program that systemd starts, such as `--address 127.0.0.1`"},
});

}  // namespace infra
