// Every variable's bounds: the first value past each is refused in words that name the variable and what is allowed,
// the last one inside is taken.
#include <gmock/gmock.h>

#include "main/config.h"

namespace infra {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::vector<std::string> problems_of(Variables variables, Command command = Command::serve) {
  variables.emplace("INFRA_API_KEY", "k");
  const auto config = read_config(variables, command);
  return config ? std::vector<std::string>{} : config.error().sentences;
}

TEST(ConfigBounds, WholeNumbers) {
  const struct {
    const char* name;
    std::int64_t least, most;
  } numbers[] = {{"PORT", 0, 65'535},
                 {"RATE_LIMIT", 0, 1'000'000},
                 {"RATE_LIMIT_WINDOW_SECONDS", 1, 86'400},
                 {"TRUSTED_PROXY_HOPS", 0, 16},
                 {"AI_NODE_TIMEOUT", 1, 60'000},
                 {"SHUTDOWN_TIMEOUT_SECONDS", 0, 3600},
                 {"INFRA_HEALTH_INTERVAL_MS", 100, 60'000},
                 {"INFRA_MAX_WAITING", 0, 100'000},
                 {"INFRA_IDLE_TIMEOUT_SECONDS", 1, 86'400}};
  for (const auto& [name, least, most] : numbers) {
    SCOPED_TRACE(name);
    for (const auto inside : {least, most}) EXPECT_THAT(problems_of({{name, std::to_string(inside)}}), IsEmpty());
    for (const std::string& past : {std::to_string(least - 1), std::to_string(most + 1), std::string("eighty"),
                                    std::string("1.5"), std::string("1e1"), std::string("+1"), std::string(" 1"),
                                    std::string("1 "), std::string("0x1"), std::string("99999999999999999999")}) {
      EXPECT_THAT(problems_of({{name, past}}),
                  ElementsAre(AllOf(HasSubstr(std::string(name) + " must be a whole number from " +
                                              std::to_string(least) + " to " + std::to_string(most)),
                                    HasSubstr('"' + past + '"'))));
    }
    EXPECT_THAT(problems_of({{name, ""}}), IsEmpty()) << "set but empty counts as not set";
  }
}

TEST(ConfigBounds, Flags) {
  for (const char* name : {"METRICS_PUBLIC", "INFRA_PYTHON_EXEC"}) {
    for (const char* right : {"true", "1", "false", "0", ""}) EXPECT_THAT(problems_of({{name, right}}), IsEmpty());
    for (const char* wrong : {"2", "yes", "True", "maybe", " true"}) {
      EXPECT_THAT(problems_of({{name, wrong}}), ElementsAre(HasSubstr(std::string(name) + " must be true or false")));
    }
  }
}

TEST(ConfigBounds, Urls) {
  for (const char* name : {"AI_NODE_URL", "CONTROLLER_URL"}) {
    for (const char* right : {"http://ai:11434", "https://ai.example/", "http://[::1]:80"}) {
      EXPECT_THAT(problems_of({{name, right}}), IsEmpty()) << name << ' ' << right;
    }
    for (const char* wrong : {"no url", "ai:11434", "ftp://ai", "http://", "/path"}) {
      EXPECT_THAT(problems_of({{name, wrong}}),
                  ElementsAre(HasSubstr(std::string(name) + " must be a URL such as http")))
          << wrong;
    }
  }
}

TEST(ConfigBounds, WhatHasAFormOfItsOwn) {
  const struct {
    const char *name, *value, *says;
  } cases[] = {
      {"CORS_ORIGINS", "not an origin", "not an origin"},
      {"CORS_ORIGINS", "https://dash.example,dash.example", "\"dash.example\""},
      {"CORS_ORIGINS", "https://dash.example/path", "an origin is such as"},
      {"INFRA_SANDBOX", "some", "\"some\""},
      {"INFRA_PYTHON_PACKAGES", "/proc/version", "is no folder"},
      {"INFRA_PYTHON_PACKAGES", "/no/such/folder", "does not exist"},
      {"INFRA_EGRESS_DNS", "::1", ""},
      {"INFRA_EGRESS_DNS", "1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5,1.1.1.6,1.1.1.7,1.1.1.8,1.1.1.9", "at most"},
      {"INFRA_EGRESS_SUBNET", "10.0.0.0/7", "from /8"},
      {"INFRA_EGRESS_BLOCK", "somewhere", "somewhere"},
      {"INFRA_EGRESS_ALLOW", "10.0.0.1:99999", "99999"}};
  for (const auto& [name, value, says] : cases) {
    EXPECT_THAT(problems_of({{name, value}}), ElementsAre(AllOf(HasSubstr(name), HasSubstr(says)))) << value;
  }
}

TEST(ConfigBounds, EachFleetVariableAloneAsksForTheRestAndSaysWhy) {
  const std::vector<std::string> needed = {"AWS_REGION", "BUCKET_NAME", "TABLE_NAME", "SQS_URL", "REDIS_HOST"};
  auto chosen = needed;
  chosen.emplace_back("LOGS_TABLE_NAME");
  for (const auto& one : chosen) {
    const auto said = problems_of({{one, "http://x"}});
    EXPECT_THAT(said, SizeIs(one == "LOGS_TABLE_NAME" ? 5 : 4)) << one;
    for (const auto& other : needed) {
      if (other == one) continue;
      EXPECT_THAT(said, Contains(AllOf(HasSubstr(other + " is missing"), HasSubstr("with " + one + " set")))) << one;
    }
    EXPECT_THAT(said, Not(Contains(HasSubstr("LOGS_TABLE_NAME is missing")))) << "it has a default";
    EXPECT_THAT(problems_of({{one, "http://x"}}, Command::dev), IsEmpty()) << "`infra dev` is one machine";
  }
}

TEST(ConfigBounds, OneMachineIsAskedForNothingOfAFleet) {
  const auto said = read_config({}, Command::serve).error().sentences;
  EXPECT_THAT(said, ElementsAre(HasSubstr("INFRA_API_KEY")));
}

}  // namespace
}  // namespace infra
