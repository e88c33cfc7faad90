#include "main/config.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/url/parse.hpp>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>

namespace infra {
namespace {

constexpr std::array<std::string_view, 6> kFleetVariables = {"AWS_REGION",      "BUCKET_NAME", "TABLE_NAME",
                                                             "LOGS_TABLE_NAME", "SQS_URL",     "REDIS_HOST"};
constexpr std::array<std::string_view, 5> kFleetNeeds = {"AWS_REGION", "BUCKET_NAME", "TABLE_NAME", "SQS_URL",
                                                         "REDIS_HOST"};

std::string_view trim(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

// Reads variables and collects what is wrong with them.
class Reader {
 public:
  explicit Reader(const Variables& variables) : variables_(variables) {}

  std::optional<std::string> text(std::string_view name) const {
    const auto found = variables_.find(name);
    if (found == variables_.end() || found->second.empty()) return std::nullopt;
    return found->second;
  }

  void whole(std::string_view name, std::int64_t least, std::int64_t most, auto store) {
    const auto value = text(name);
    if (!value) return;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
    if (error != std::errc{} || end != value->data() + value->size() || number < least || number > most) {
      problem(fmt::format("{} must be a whole number from {} to {}, not \"{}\".", name, least, most, *value));
      return;
    }
    store(number);
  }

  void flag(std::string_view name, bool& target) {
    const auto value = text(name);
    if (!value) return;
    const bool on = *value == "true" || *value == "1";
    if (!on && *value != "false" && *value != "0") {
      problem(fmt::format("{} must be true or false, not \"{}\".", name, *value));
      return;
    }
    target = on;
  }

  void problem(std::string sentence) { problems_.sentences.push_back(std::move(sentence)); }
  ConfigProblems& problems() { return problems_; }

 private:
  const Variables& variables_;
  ConfigProblems problems_;
};

void read_key(Reader& reader, Config& config, Command command) {
  const auto key = reader.text("INFRA_API_KEY");
  if (!key && command == Command::worker && reader.text("CONTROLLER_URL")) {
    reader.problem("INFRA_API_KEY is missing: the worker sends it with its heartbeats to CONTROLLER_URL.");
  }
  if (!key && command == Command::serve) {
    reader.problem(
        "INFRA_API_KEY is missing: the secret that clients send as x-api-key (`infra dev` makes one for you).");
  }
  const bool printable = !key || std::ranges::all_of(*key, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!printable)
    reader.problem("INFRA_API_KEY must be printable ASCII without spaces, because it travels in a header.");
  config.api_key = key.value_or("");
}

void read_url(Reader& reader, std::string_view name, std::string_view example, std::string& target) {
  auto value = reader.text(name);
  if (!value) return;
  const auto url = boost::urls::parse_uri(*value);
  if (!url || (url->scheme() != "http" && url->scheme() != "https") || url->host().empty()) {
    reader.problem(fmt::format("{} must be a URL such as {}.", name, example));
    return;
  }
  while (value->ends_with('/')) value->pop_back();
  target = *value;
}

void read_redis(Reader& reader, net::RedisOptions& redis) {
  redis.host = reader.text("REDIS_HOST").value_or("");
  redis.username = reader.text("REDIS_USERNAME").value_or("");
  redis.password = reader.text("REDIS_PASSWORD").value_or("");
  redis.ca_file = reader.text("REDIS_CA_FILE").value_or("");
  reader.whole("REDIS_PORT", 1, 65535, [&](auto value) { redis.port = static_cast<std::uint16_t>(value); });
  reader.flag("REDIS_TLS", redis.tls);
  if (!redis.username.empty() && redis.password.empty()) {
    reader.problem("REDIS_PASSWORD is missing: with REDIS_USERNAME set, Redis is sent both.");
  }
}

// What a fleet needs, all of it, as soon as one of its variables is set; a worker is always part of one.
void read_fleet(Reader& reader, Config& config, Command command) {
  const auto set = [&](std::string_view name) { return reader.text(name).has_value(); };
  const auto* const chosen = std::ranges::find_if(kFleetVariables, set);
  const bool wanted = command == Command::worker || (command == Command::serve && chosen != kFleetVariables.end());
  if (!wanted) return;
  const std::string why = command == Command::worker
                              ? "`infra worker` needs it"
                              : fmt::format("with {} set, Infra runs on AWS and Redis and needs it", *chosen);
  for (const auto name : kFleetNeeds) {
    if (!set(name)) reader.problem(fmt::format("{} is missing: {}.", name, why));
  }
  FleetConfig fleet;
  fleet.region = reader.text("AWS_REGION").value_or("");
  fleet.bucket = reader.text("BUCKET_NAME").value_or("");
  fleet.functions_table = reader.text("TABLE_NAME").value_or("");
  fleet.logs_table = reader.text("LOGS_TABLE_NAME").value_or(fleet.logs_table);
  read_url(reader, "SQS_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/infra-jobs", fleet.queue_url);
  read_url(reader, "S3_ENDPOINT", "http://127.0.0.1:4566", fleet.s3_endpoint);
  read_url(reader, "SQS_ENDPOINT", "http://127.0.0.1:4566", fleet.sqs_endpoint);
  read_url(reader, "DYNAMODB_ENDPOINT", "http://127.0.0.1:8000", fleet.dynamodb_endpoint);
  read_redis(reader, fleet.redis);
  config.fleet = std::move(fleet);
}

// The parts of a list that is separated by commas, trimmed.
void for_each_part(const std::optional<std::string>& value, const auto& take) {
  std::string_view rest = value ? std::string_view(*value) : std::string_view{};
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    take(trim(rest.substr(0, comma)));
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
  }
}

void read_origins(Reader& reader, std::vector<std::string>& origins) {
  for_each_part(reader.text("CORS_ORIGINS"), [&](std::string_view origin) {
    const auto url = boost::urls::parse_uri(origin);
    if (origin != "*" && (!url || !url->path().empty() || url->host().empty())) {
      reader.problem(fmt::format(
          "CORS_ORIGINS must be origins such as https://dash.example, separated by commas, or *; not \"{}\".", origin));
    }
    origins.emplace_back(origin);
  });
}

template <typename Value>
void read_addresses(Reader& reader, std::string_view name, Result<Value> (*parse)(std::string_view),
                    std::vector<Value>& target) {
  for_each_part(reader.text(name), [&](std::string_view part) {
    if (auto value = parse(part)) {
      target.push_back(*value);
    } else {
      reader.problem(fmt::format("{}: {}.", name, value.error().message));
    }
  });
}

std::string host_of(const std::string& url) {
  const auto parsed = boost::urls::parse_uri(url);
  return parsed ? std::string(parsed->host_address()) : std::string();
}

// Where this program's own engines are, functions have no business; region endpoints of AWS are public services.
void block_own_engines(Config& config) {
  std::vector<std::string> hosts{host_of(config.ai_node_url), host_of(config.controller_url)};
  if (config.fleet) {
    hosts.push_back(config.fleet->redis.host);
    for (const auto* endpoint :
         {&config.fleet->s3_endpoint, &config.fleet->sqs_endpoint, &config.fleet->dynamodb_endpoint})
      hosts.push_back(host_of(*endpoint));
  }
  for (auto& host : hosts) {
    const bool known = std::ranges::find(config.egress.block_hosts, host) != config.egress.block_hosts.end();
    if (!host.empty() && !known) config.egress.block_hosts.push_back(std::move(host));
  }
}

void read_egress(Reader& reader, Config& config) {
  sandbox::EgressOptions& egress = config.egress;
  read_addresses(reader, "INFRA_EGRESS_ALLOW", sandbox::parse_egress_opening, egress.allow);
  read_addresses(reader, "INFRA_EGRESS_BLOCK", sandbox::parse_ipv4_range, egress.block);
  read_addresses(reader, "INFRA_EGRESS_DNS", sandbox::parse_ipv4, egress.resolvers);
  if (egress.resolvers.size() > sandbox::kMaxResolvers)
    reader.problem(fmt::format("INFRA_EGRESS_DNS must be {} addresses at most.", sandbox::kMaxResolvers));
  if (const auto subnet = reader.text("INFRA_EGRESS_SUBNET")) {
    const auto range = sandbox::parse_ipv4_range(*subnet);
    if (!range || range->prefix > sandbox::kEgressBlockPrefix || range->prefix < 8) {
      reader.problem(
          fmt::format("INFRA_EGRESS_SUBNET must be a range from /8 to /{} such as 198.18.0.0/15, not \"{}\".",
                      sandbox::kEgressBlockPrefix, *subnet));
    } else {
      egress.subnet = *range;
    }
  }
  block_own_engines(config);
}

void read_sandbox(Reader& reader, Config& config) {
  const auto value = reader.text("INFRA_SANDBOX");
  if (!value) return;
  if (*value != "none")
    reader.problem(fmt::format("INFRA_SANDBOX must be \"none\" or not be set, not \"{}\".", *value));
  config.isolate = false;
}

// The folder with what all Python functions can import. They run under the slots' uids, and load libraries from it.
void read_python_packages(Reader& reader, Config& config) {
  const auto value = reader.text("INFRA_PYTHON_PACKAGES");
  if (!value) return;
  std::error_code error;
  config.python_packages = std::filesystem::absolute(*value, error).lexically_normal();
  const auto refuse = [&](std::string_view why) {
    reader.problem(fmt::format("INFRA_PYTHON_PACKAGES must be a folder that all may read, but {} {}.",
                               config.python_packages.string(), why));
  };
  const auto status = std::filesystem::status(config.python_packages, error);
  constexpr auto kOthersMay = std::filesystem::perms::others_read | std::filesystem::perms::others_exec;
  struct statvfs mount{};
  if (status.type() == std::filesystem::file_type::not_found) return refuse("does not exist");
  if (status.type() == std::filesystem::file_type::none) return refuse("can't be looked at: " + error.message());
  if (!std::filesystem::is_directory(status)) return refuse("is no folder");
  if (config.isolate && (status.permissions() & kOthersMay) != kOthersMay)
    return refuse("is closed to others (chmod -R a+rX opens it)");
  if (::statvfs(config.python_packages.c_str(), &mount) == 0 && (mount.f_flag & ST_NOEXEC) != 0)
    return refuse("is on a file system that is mounted noexec, from which no libraries can be loaded");
}

}  // namespace

Variables collect_variables(ConfigProblems& problems, std::vector<std::string>& warnings) {
  EnvFile read;
  if (std::ifstream file(".env"); file) {
    read = parse_env_file(std::string{std::istreambuf_iterator<char>(file), {}});
    problems.sentences.insert(problems.sentences.end(), read.problems.begin(), read.problems.end());
  } else if (access(".env", F_OK) == 0) {
    problems.sentences.emplace_back(".env is there but can't be read; check its permissions.");
  }
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view pair(*entry);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string name(pair.substr(0, equals));
    read.variables[name] = pair.substr(equals + 1);
    read.shortened.erase(name);
  }
  for (const auto& name : read.shortened) {
    warnings.push_back(fmt::format(
        ".env: the value of {} ends at a '#', where a comment begins; put it in quotes if the '#' is part of it",
        name));
  }
  return std::move(read.variables);
}

std::expected<Config, ConfigProblems> read_config(const Variables& variables, Command command) {
  Reader reader(variables);
  Config config;
  read_key(reader, config, command);
  read_fleet(reader, config, command);
  if (command == Command::worker) config.port = 8001;
  reader.whole("PORT", 0, 65535, [&](auto value) { config.port = static_cast<std::uint16_t>(value); });
  reader.whole("RATE_LIMIT", 0, 1'000'000, [&](auto value) { config.rate.limit = static_cast<int>(value); });
  reader.whole("RATE_LIMIT_WINDOW_SECONDS", 1, 86'400,
               [&](auto value) { config.rate.window = std::chrono::seconds(value); });
  reader.whole("TRUSTED_PROXY_HOPS", 0, 16, [&](auto value) { config.trusted_proxy_hops = static_cast<int>(value); });
  reader.whole("AI_NODE_TIMEOUT", 1, 60'000, [&](auto value) { config.ai_node_timeout = milliseconds(value); });
  reader.whole("SHUTDOWN_TIMEOUT_SECONDS", 0, 3600,
               [&](auto value) { config.shutdown_timeout = std::chrono::seconds(value); });
  reader.whole("INFRA_MAX_WAITING", 0, 100'000, [&](auto value) { config.max_waiting = static_cast<int>(value); });
  reader.whole("INFRA_IDLE_TIMEOUT_SECONDS", 1, 86'400,
               [&](auto value) { config.idle_timeout = std::chrono::seconds(value); });
  reader.flag("METRICS_PUBLIC", config.metrics_public);
  reader.flag("INFRA_PYTHON_EXEC", config.python_exec);
  read_url(reader, "AI_NODE_URL", "http://127.0.0.1:11434", config.ai_node_url);
  read_url(reader, "CONTROLLER_URL", "http://10.0.0.5:8080", config.controller_url);
  read_origins(reader, config.cors_origins);
  read_sandbox(reader, config);
  const bool runs_functions = command != Command::serve || !config.fleet;
  if (runs_functions) read_python_packages(reader, config);
  read_egress(reader, config);
  if (const auto dir = reader.text("INFRA_DATA_DIR")) config.data_dir = *dir;
  if (!reader.problems().sentences.empty()) return std::unexpected(reader.problems());
  return config;
}

}  // namespace infra
