// Configuration from the environment and `.env`, with everything that is wrong said at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/sliding_window.h"
#include "main/env_file.h"
#include "net/redis/redis_client.h"
#include "sandbox/protocol/egress_options.h"

namespace infra {

// The services that a fleet stands on.
struct FleetConfig {
  std::string region;
  std::string bucket;
  std::string functions_table;
  std::string logs_table = "InfraExecutionLogs";
  std::string queue_url;
  net::RedisOptions redis;
  // In place of AWS's own; empty: those of the region.
  std::string s3_endpoint;
  std::string sqs_endpoint;
  std::string dynamodb_endpoint;
};

struct Config {
  std::uint16_t port = 8080;
  std::string api_key;
  RatePolicy rate;
  int trusted_proxy_hops = 0;
  std::string ai_node_url = "http://127.0.0.1:11434";
  milliseconds ai_node_timeout{2000};
  std::filesystem::path data_dir = "./.infra";
  bool isolate = true;                      // INFRA_SANDBOX=none turns it off
  bool python_exec = false;                 // an interpreter's start an instance, instead of a fork of a loaded one
  std::filesystem::path python_packages{};  // absolute; what all Python functions can import; empty: nothing
  sandbox::EgressOptions egress;
  bool metrics_public = false;
  std::vector<std::string> cors_origins;
  std::chrono::seconds shutdown_timeout{30};
  std::chrono::seconds idle_timeout{600};  // then an instance without calls ends
  int max_waiting = 100;                   // a function's runs that wait for its maxConcurrency
  std::optional<FleetConfig> fleet;        // not there: the embedded engines
  std::string controller_url;              // where a worker sends its heartbeats besides Redis; may be empty
};

enum class Command : std::uint8_t { serve, dev, worker };

// The problems, one sentence each, naming its variable.
struct ConfigProblems {
  std::vector<std::string> sentences;
};

// A variable that is set but empty counts as not set.
[[nodiscard]] std::expected<Config, ConfigProblems> read_config(const Variables& variables, Command command);

// The process's environment over `./.env`, if there is one. `warnings` gets a sentence for each variable of that file
// whose value may not be what was meant.
[[nodiscard]] Variables collect_variables(ConfigProblems& problems, std::vector<std::string>& warnings);

}  // namespace infra
