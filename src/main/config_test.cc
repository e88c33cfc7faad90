// All that is wrong with a configuration is said in one go, and nothing is guessed.
#include "main/config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <variant>

namespace infra {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> problems(const Variables& variables, Command command = Command::serve) {
  const auto config = read_config(variables, command);
  return config ? std::vector<std::string>{} : config.error().sentences;
}

TEST(Config, ServeNeedsAKeyAndDevDoesNot) {
  EXPECT_THAT(problems({}), ElementsAre(HasSubstr("INFRA_API_KEY is missing")));
  EXPECT_THAT(problems({{"INFRA_API_KEY", ""}}), ElementsAre(HasSubstr("INFRA_API_KEY is missing")));
  EXPECT_THAT(problems({}, Command::dev), ElementsAre());
}

TEST(Config, ReadsEverything) {
  const auto config = read_config({{"INFRA_API_KEY", "k"},
                                   {"PORT", "0"},
                                   {"RATE_LIMIT", "5"},
                                   {"RATE_LIMIT_WINDOW_SECONDS", "2"},
                                   {"TRUSTED_PROXY_HOPS", "1"},
                                   {"AI_NODE_URL", "http://ai:11434/"},
                                   {"AI_NODE_TIMEOUT", "500"},
                                   {"INFRA_DATA_DIR", "/data"},
                                   {"INFRA_SANDBOX", "none"},
                                   {"INFRA_PYTHON_EXEC", "1"},
                                   {"INFRA_EGRESS_ALLOW", "10.1.2.3:5432, 192.168.7.0/24"},
                                   {"INFRA_EGRESS_BLOCK", "203.0.113.0/24"},
                                   {"INFRA_EGRESS_DNS", "9.9.9.9"},
                                   {"INFRA_EGRESS_SUBNET", "100.96.0.0/16"},
                                   {"METRICS_PUBLIC", "true"},
                                   {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318"},
                                   {"CORS_ORIGINS", "https://a.example, http://localhost:3000"},
                                   {"SHUTDOWN_TIMEOUT_SECONDS", "3"},
                                   {"INFRA_HEALTH_INTERVAL_MS", "2000"},
                                   {"INFRA_MAX_WAITING", "7"},
                                   {"INFRA_IDLE_TIMEOUT_SECONDS", "60"}},
                                  Command::serve);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->port, 0);
  EXPECT_EQ(config->rate.limit, 5);
  EXPECT_EQ(config->rate.window.count(), 2);
  EXPECT_EQ(config->trusted_proxy_hops, 1);
  EXPECT_EQ(config->ai_node_url, "http://ai:11434");
  EXPECT_EQ(config->ai_node_timeout.count(), 500);
  EXPECT_EQ(config->data_dir, "/data");
  EXPECT_FALSE(config->isolate);
  EXPECT_TRUE(config->python_exec);
  EXPECT_THAT(config->egress.allow, ElementsAre(*sandbox::parse_egress_opening("10.1.2.3:5432"),
                                                *sandbox::parse_egress_opening("192.168.7.0/24")));
  EXPECT_THAT(config->egress.block, ElementsAre(*sandbox::parse_ipv4_range("203.0.113.0/24")));
  EXPECT_THAT(config->egress.resolvers, ElementsAre(*sandbox::parse_ipv4("9.9.9.9")));
  EXPECT_EQ(config->egress.subnet, *sandbox::parse_ipv4_range("100.96.0.0/16"));
  EXPECT_THAT(config->egress.block_hosts, ElementsAre("ai", "otel"));
  EXPECT_EQ(config->otlp_endpoint, "http://otel:4318");
  EXPECT_TRUE(config->metrics_public);
  EXPECT_THAT(config->cors_origins, ElementsAre("https://a.example", "http://localhost:3000"));
  EXPECT_EQ(config->shutdown_timeout.count(), 3);
  EXPECT_EQ(config->health_interval.count(), 2000);
  EXPECT_EQ(config->max_waiting, 7);
  EXPECT_EQ(config->idle_timeout.count(), 60);
}

TEST(Config, DefaultsAreTheTables) {
  const auto config = read_config({}, Command::dev);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->port, 8080);
  EXPECT_EQ(config->rate.limit, RatePolicy{}.limit);
  EXPECT_EQ(config->rate.window, RatePolicy{}.window);
  EXPECT_EQ(config->trusted_proxy_hops, 0);
  EXPECT_EQ(config->ai_node_url, "http://127.0.0.1:11434");
  EXPECT_EQ(config->ai_node_timeout.count(), 2000);
  EXPECT_EQ(config->data_dir, "./.infra");
  EXPECT_TRUE(config->isolate);
  EXPECT_EQ(config->egress.subnet, sandbox::kDefaultEgressSubnet);
  EXPECT_EQ(config->shutdown_timeout.count(), 30);
  EXPECT_EQ(config->health_interval.count(), 500);
  EXPECT_EQ(config->max_waiting, 100);
  EXPECT_EQ(config->idle_timeout.count(), 600);
}

// Of a fleet, in which every row is read.
Variables with(std::string_view name, std::string value) {
  Variables variables{
      {"AWS_REGION", "r"}, {"BUCKET_NAME", "b"}, {"TABLE_NAME", "t"}, {"SQS_URL", "http://q"}, {"REDIS_HOST", "h"}};
  variables["INFRA_API_KEY"] = "k";
  variables[std::string(name)] = std::move(value);
  return variables;
}

TEST(Config, EachRowTakesItsDefaultAndItsBoundsAndNothingBeyond) {
  for (const auto& variable : kConfigVariables) {
    SCOPED_TRACE(variable.name);
    for (const auto fallback : {variable.fallback, variable.worker_fallback}) {
      if (!fallback.empty()) EXPECT_THAT(problems(with(variable.name, std::string(fallback))), ElementsAre());
    }
    if (const auto* whole = std::get_if<Whole>(&variable.value)) {
      for (const auto value : {whole->least, whole->most})
        EXPECT_THAT(problems(with(variable.name, std::to_string(value))), ElementsAre());
      for (const auto& value : {std::to_string(whole->least - 1), std::to_string(whole->most + 1), std::string("1x"),
                                std::string("99999999999999999999")})
        EXPECT_THAT(problems(with(variable.name, value)),
                    ElementsAre(fmt::format("{} must be a whole number from {} to {}, not \"{}\".", variable.name,
                                            whole->least, whole->most, value)));
    } else if (std::holds_alternative<Flag>(variable.value)) {
      for (const auto* value : {"true", "1", "false", "0"})
        EXPECT_THAT(problems(with(variable.name, value)), ElementsAre());
      EXPECT_THAT(problems(with(variable.name, "yes")), ElementsAre(HasSubstr(variable.name)));
    } else if (std::holds_alternative<Url>(variable.value)) {
      EXPECT_THAT(problems(with(variable.name, "ftp://host")), ElementsAre(HasSubstr(variable.name)));
    }
  }
}

TEST(Config, NoTwoRowsHaveOneName) {
  std::set<std::string_view> names;
  for (const auto& variable : kConfigVariables) EXPECT_TRUE(names.insert(variable.name).second) << variable.name;
}

TEST(Config, SaysAllProblemsAtOnce) {
  EXPECT_THAT(problems({{"PORT", "80x"},
                        {"RATE_LIMIT", "-1"},
                        {"METRICS_PUBLIC", "yes"},
                        {"AI_NODE_URL", "ai:11434"},
                        {"CORS_ORIGINS", "nonsense"},
                        {"INFRA_SANDBOX", "off"},
                        {"INFRA_EGRESS_ALLOW", "10.0.0.0/8:x,host"},
                        {"INFRA_EGRESS_BLOCK", "1.2.3.4/8"},
                        {"INFRA_EGRESS_DNS", "::1"},
                        {"INFRA_EGRESS_SUBNET", "198.18.0.0/24"}}),
              ElementsAre(HasSubstr("INFRA_API_KEY"), HasSubstr("PORT"), HasSubstr("RATE_LIMIT"),
                          HasSubstr("AI_NODE_URL"), HasSubstr("METRICS_PUBLIC"), HasSubstr("CORS_ORIGINS"),
                          HasSubstr("INFRA_SANDBOX"), HasSubstr("INFRA_EGRESS_ALLOW"), HasSubstr("INFRA_EGRESS_ALLOW"),
                          HasSubstr("1.0.0.0/8"), HasSubstr("INFRA_EGRESS_DNS"), HasSubstr("INFRA_EGRESS_SUBNET")));
}

TEST(Config, TlsNeedsACertificateAndItsKey) {
  const auto of = [](Variables variables) {
    variables["INFRA_API_KEY"] = "k";
    return problems(variables);
  };
  EXPECT_THAT(of({{"TLS_CERT_FILE", "/c.pem"}}), ElementsAre(HasSubstr("TLS_KEY_FILE is missing")));
  EXPECT_THAT(of({{"TLS_KEY_FILE", "/k.pem"}}), ElementsAre(HasSubstr("TLS_CERT_FILE is missing")));
  EXPECT_THAT(of({{"TLS_CERT_FILE", "/c.pem"}, {"TLS_KEY_FILE", "/k.pem"}}), ElementsAre());
}

TEST(Config, OneFleetVariableAsksForAllOfThem) {
  EXPECT_THAT(problems({{"INFRA_API_KEY", "k"}, {"REDIS_HOST", "localhost"}}),
              ElementsAre(HasSubstr("AWS_REGION is missing"), HasSubstr("BUCKET_NAME is missing"),
                          HasSubstr("TABLE_NAME is missing"), HasSubstr("SQS_URL is missing")));
  EXPECT_THAT(problems({{"INFRA_API_KEY", "k"}, {"AWS_ACCESS_KEY_ID", "credentials alone change nothing"}}),
              ElementsAre());
}

TEST(Config, PythonPackagesAreAFolderThatAllMayRead) {
  namespace fs = std::filesystem;
  std::string name = (fs::temp_directory_path() / "config-test-XXXXXX").string();
  const fs::path folder = ::mkdtemp(name.data());
  const auto read = [&](const fs::path& path, Variables more = {}, Command command = Command::dev) {
    more.insert({{"INFRA_API_KEY", "k"}, {"INFRA_PYTHON_PACKAGES", path.string()}});
    return problems(more, command);
  };
  EXPECT_THAT(read(folder), ElementsAre(HasSubstr("INFRA_PYTHON_PACKAGES must be a folder that all may read, but " +
                                                  name + " is closed to others")));
  EXPECT_THAT(read(folder, {{"INFRA_SANDBOX", "none"}}), ElementsAre());
  fs::permissions(folder, fs::perms(0755));
  EXPECT_THAT(read(folder), ElementsAre());
  EXPECT_THAT(read(folder / "none"), ElementsAre(HasSubstr("/none does not exist")));
  std::ofstream(folder / "file") << "x";
  EXPECT_THAT(read(folder / "file"), ElementsAre(HasSubstr("/file is no folder")));
  const auto relative = read_config({{"INFRA_PYTHON_PACKAGES", fs::relative(folder).string()}}, Command::dev);
  ASSERT_TRUE(relative);
  EXPECT_EQ(relative->python_packages, folder);
  Variables fleet{
      {"AWS_REGION", "r"}, {"BUCKET_NAME", "b"}, {"TABLE_NAME", "t"}, {"SQS_URL", "http://q"}, {"REDIS_HOST", "h"}};
  EXPECT_THAT(read(folder / "none", fleet, Command::serve), ElementsAre()) << "a controller runs no functions";
  EXPECT_THAT(read(folder / "none", fleet, Command::worker), ElementsAre(HasSubstr("does not exist")));
  fs::remove_all(folder);
}

const Variables kFleet = {{"AWS_REGION", "eu-west-1"},
                          {"BUCKET_NAME", "code"},
                          {"TABLE_NAME", "Functions"},
                          {"SQS_URL", "https://sqs.eu-west-1.amazonaws.com/1/jobs.fifo"},
                          {"REDIS_HOST", "redis.internal"}};

TEST(Config, AFleetIsReadWithItsDefaults) {
  Variables variables = kFleet;
  variables["INFRA_API_KEY"] = "k";
  const auto config = read_config(variables, Command::serve);
  ASSERT_TRUE(config);
  ASSERT_TRUE(config->fleet);
  EXPECT_EQ(config->fleet->bucket, "code");
  EXPECT_EQ(config->fleet->logs_table, "InfraExecutionLogs");
  EXPECT_EQ(config->fleet->queue_url, "https://sqs.eu-west-1.amazonaws.com/1/jobs.fifo");
  EXPECT_EQ(config->fleet->redis.host, "redis.internal");
  EXPECT_EQ(config->fleet->redis.port, 6379);
  EXPECT_THAT(config->egress.block_hosts, ElementsAre("127.0.0.1", "redis.internal"));
  EXPECT_FALSE(config->fleet->redis.tls);
  EXPECT_EQ(config->port, 8080);
  EXPECT_FALSE(read_config(variables, Command::dev)->fleet);  // always on this machine alone
}

TEST(Config, AWorkerNeedsAFleetAndAKeyOnlyForItsController) {
  EXPECT_THAT(problems({}, Command::worker),
              ElementsAre(HasSubstr("AWS_REGION"), HasSubstr("BUCKET_NAME"), HasSubstr("TABLE_NAME"),
                          HasSubstr("SQS_URL"), HasSubstr("REDIS_HOST")));
  EXPECT_THAT(problems(kFleet, Command::worker), ElementsAre());
  EXPECT_EQ(read_config(kFleet, Command::worker)->port, 8001);
  Variables variables = kFleet;
  variables["CONTROLLER_URL"] = "http://10.0.0.5:8080";
  EXPECT_THAT(problems(variables, Command::worker), ElementsAre(HasSubstr("INFRA_API_KEY is missing")));
}

TEST(Config, WrongFleetValuesNameTheirVariable) {
  Variables variables = kFleet;
  variables.insert({{"INFRA_API_KEY", "k"}, {"REDIS_PORT", "x"}, {"REDIS_TLS", "on"}, {"REDIS_USERNAME", "infra"}});
  variables["SQS_URL"] = "jobs";
  variables["S3_ENDPOINT"] = "127.0.0.1:4566";
  EXPECT_THAT(problems(variables), ElementsAre(HasSubstr("SQS_URL"), HasSubstr("S3_ENDPOINT"), HasSubstr("REDIS_PORT"),
                                               HasSubstr("REDIS_TLS"), HasSubstr("REDIS_PASSWORD")));
}

TEST(Config, AKeyThatCannotTravelIsRefusedWithoutShowingIt) {
  const auto said = problems({{"INFRA_API_KEY", "se cret"}});
  EXPECT_THAT(said, ElementsAre(HasSubstr("INFRA_API_KEY must be")));
  EXPECT_THAT(said.front(), ::testing::Not(HasSubstr("cret")));
}

}  // namespace
}  // namespace infra
