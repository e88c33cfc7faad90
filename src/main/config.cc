#include "main/config.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <boost/url/parse.hpp>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>

#include "core/secrets_key.h"
#include "core/text.h"

namespace infra {
namespace {

// Reads the table's variables into a Config and collects what is wrong with them.
class Reader {
 public:
  Reader(const Variables& variables, Config& config, Command command)
      : variables_(variables), config_(config), command_(command) {}

  [[nodiscard]] std::string_view given(std::string_view name) const {
    const auto found = variables_.find(name);
    return found == variables_.end() ? std::string_view{} : std::string_view(found->second);
  }
  [[nodiscard]] bool is_set(const ConfigVariable& variable) const { return !given(variable.name).empty(); }

  void read(const ConfigVariable& variable) {
    std::string_view text = given(variable.name);
    if (text.empty() && command_ == Command::worker) text = variable.worker_fallback;
    if (text.empty()) text = variable.fallback;
    if (text.empty()) return;
    const auto read_as = [&](const auto& kind) { take(variable.name, std::string(text), kind); };
    std::visit(read_as, variable.value);
  }

  void problem(std::string sentence) { problems_.sentences.push_back(std::move(sentence)); }
  ConfigProblems& problems() { return problems_; }

 private:
  void take(std::string_view, const std::string&, const ReadElsewhere&) {}

  void take(std::string_view name, const std::string& text, const Whole& kind) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < kind.least || number > kind.most) {
      problem(fmt::format("{} must be a whole number from {} to {}, not \"{}\".", name, kind.least, kind.most, text));
      return;
    }
    kind.store(config_, number);
  }

  void take(std::string_view name, const std::string& text, const Flag& kind) {
    const bool on = text == "true" || text == "1";
    if (!on && text != "false" && text != "0") {
      problem(fmt::format("{} must be true or false, not \"{}\".", name, text));
      return;
    }
    kind.member(config_) = on;
  }

  void take(std::string_view, const std::string& text, const Text& kind) { kind.member(config_) = text; }
  void take(std::string_view, const std::string& text, const Path& kind) { kind.member(config_) = text; }

  void take(std::string_view name, std::string text, const Url& kind) {
    const auto url = boost::urls::parse_uri(text);
    if (!url || (url->scheme() != "http" && url->scheme() != "https") || url->host().empty()) {
      problem(fmt::format("{} must be a URL such as {}.", name, kind.example));
      return;
    }
    while (text.ends_with('/')) text.pop_back();
    kind.member(config_) = std::move(text);
  }

  void take(std::string_view name, const std::string& text, const List& kind) {
    std::string_view rest = text;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      if (const auto why = kind.add(config_, trim(rest.substr(0, comma)))) problem(fmt::format("{}: {}.", name, *why));
      rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    }
  }

  void take(std::string_view name, const std::string& text, const Parsed& kind) {
    if (const auto why = kind.take(config_, text)) problem(fmt::format("{} {}.", name, *why));
  }

  const Variables& variables_;
  Config& config_;
  const Command command_;
  ConfigProblems problems_;
};

void check_key(Reader& reader, Command command) {
  const std::string_view key = reader.given("INFRA_API_KEY");
  if (key.empty() && command == Command::worker && !reader.given("CONTROLLER_URL").empty()) {
    reader.problem("INFRA_API_KEY is missing: the worker sends it with its heartbeats to CONTROLLER_URL.");
  }
  if (key.empty() && command == Command::serve) {
    reader.problem(
        "INFRA_API_KEY is missing: the secret that clients send as x-api-key (`infra dev` makes one for you).");
  }
  if (!std::ranges::all_of(key, [](char c) { return c > 0x20 && c < 0x7f; }))
    reader.problem("INFRA_API_KEY must be printable ASCII without spaces, because it travels in a header.");
}

// What a fleet needs, all of it, as soon as one of its variables is set; a worker is always part of one.
void read_fleet(Reader& reader, Config& config, Command command) {
  const auto needed = [](const ConfigVariable& v) { return v.role == VariableRole::fleet_needs; };
  const auto chooses = [&](const ConfigVariable& v) {
    return (needed(v) || v.role == VariableRole::fleet_chooses) && reader.is_set(v);
  };
  const auto* const chosen = std::ranges::find_if(kConfigVariables, chooses);
  const bool any = chosen != kConfigVariables.end();
  if (command != Command::worker && (command != Command::serve || !any)) return;
  const std::string why = command == Command::worker
                              ? "`infra worker` needs it"
                              : fmt::format("with {} set, Infra runs on AWS and Redis and needs it", chosen->name);
  for (const auto& variable : kConfigVariables) {
    if (needed(variable) && !reader.is_set(variable))
      reader.problem(fmt::format("{} is missing: {}.", variable.name, why));
  }
  config.fleet.emplace().redis.host.clear();
  for (const auto& variable : kConfigVariables) {
    if (needed(variable) || variable.role == VariableRole::fleet_chooses || variable.role == VariableRole::fleet)
      reader.read(variable);
  }
  if (!config.fleet->redis.username.empty() && config.fleet->redis.password.empty())
    reader.problem("REDIS_PASSWORD is missing: with REDIS_USERNAME set, Redis is sent both.");
}

std::string host_of(const std::string& url) {
  const auto parsed = boost::urls::parse_uri(url);
  return parsed ? std::string(parsed->host_address()) : std::string();
}

// Where this program's own engines are, functions have no business; region endpoints of AWS are public services.
void block_own_engines(Config& config) {
  std::vector<std::string> hosts{host_of(config.ai_node_url), host_of(config.controller_url),
                                 host_of(config.otlp_endpoint)};
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

// The folder with what all Python functions can import. They run under the slots' uids, and load libraries from it.
void check_python_packages(Reader& reader, Config& config) {
  if (config.python_packages.empty()) return;
  std::error_code error;
  config.python_packages = std::filesystem::absolute(config.python_packages, error).lexically_normal();
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

void check_tls(Reader& reader, const Config& config) {
  if (config.tls_cert_file.empty() == config.tls_key_file.empty()) return;
  reader.problem(fmt::format("{} is missing: TLS needs a certificate and its key, TLS_CERT_FILE and TLS_KEY_FILE.",
                             config.tls_cert_file.empty() ? "TLS_CERT_FILE" : "TLS_KEY_FILE"));
}

}  // namespace

namespace config_rows {

Complaint take_sandbox(Config& config, const std::string& value) {
  config.isolate = false;
  if (value == "none") return std::nullopt;
  return fmt::format("must be \"none\" or not be set, not \"{}\"", value);
}

Complaint take_secrets_key(Config& config, const std::string& value) {
  if (!SecretsKey::parse(value)) return "must be 32 bytes in base64, as `openssl rand -base64 32` prints them";
  config.secrets_key = value;
  return std::nullopt;
}

Complaint take_egress_subnet(Config& config, const std::string& value) {
  const auto range = sandbox::parse_ipv4_range(value);
  if (!range || range->prefix > sandbox::kEgressBlockPrefix || range->prefix < 8) {
    return fmt::format("must be a range from /8 to /{} such as 198.18.0.0/15, not \"{}\"", sandbox::kEgressBlockPrefix,
                       value);
  }
  config.egress.subnet = *range;
  return std::nullopt;
}

Complaint add_origin(Config& config, std::string_view origin) {
  const auto url = boost::urls::parse_uri(origin);
  if (origin != "*" && (!url || !url->path().empty() || url->host().empty()))
    return fmt::format("an origin is such as https://dash.example, or *; not \"{}\"", origin);
  config.cors_origins.emplace_back(origin);
  return std::nullopt;
}

}  // namespace config_rows

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
  Config config;
  Reader reader(variables, config, command);
  check_key(reader, command);
  for (const auto& variable : kConfigVariables) {
    if (variable.role == VariableRole::machine || variable.role == VariableRole::worker) reader.read(variable);
  }
  read_fleet(reader, config, command);
  if (config.egress.resolvers.size() > sandbox::kMaxResolvers)
    reader.problem(fmt::format("INFRA_EGRESS_DNS must be {} addresses at most.", sandbox::kMaxResolvers));
  block_own_engines(config);
  const bool runs_functions = command != Command::serve || !config.fleet;
  if (runs_functions) check_python_packages(reader, config);
  check_tls(reader, config);
  if (!reader.problems().sentences.empty()) return std::unexpected(reader.problems());
  return config;
}

}  // namespace infra
