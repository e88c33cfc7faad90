#include "sandbox/protocol/spawner_arguments.h"

#include <gtest/gtest.h>

namespace infra::sandbox {
namespace {

Result<SpawnerOptions> parse(const std::vector<std::string>& arguments) {
  std::vector<const char*> texts;
  for (const auto& argument : arguments) texts.push_back(argument.c_str());
  return parse_arguments(texts);
}

TEST(SpawnerArgumentsTest, AllOptionsArriveAsTheyWere) {
  const SpawnerOptions options{.program = "/usr/libexec/infra/infra-spawner",
                               .versions_root = "/data/a folder=with signs/versions",
                               .runners = "/runtimes",
                               .slots = 77,
                               .base_uid = 2'000'000,
                               .native_runner = "/native",
                               .zygote_library = "/lib/zygote.so",
                               .zygote_term = {.forks = 33},
                               .python_packages = "/srv/python packages=here",
                               .egress = {.subnet = {.first = 0x0a000000, .prefix = 8},
                                          .allow = {{.range = {.first = 0x0a010203, .prefix = 32}, .port = 5432},
                                                    {.range = {.first = 0x0a020000, .prefix = 16}}},
                                          .block = {{.first = 0x08080808, .prefix = 32}},
                                          .block_hosts = {"redis.internal"},
                                          .resolvers = {0x01010101, 0x09090909}},
                               .files = {"/root/.aws/credentials", "/etc/a key=here.pem"},
                               .only_files = true};
  const auto parsed = parse(to_arguments(options));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->versions_root, options.versions_root);
  EXPECT_EQ(parsed->runners, options.runners);
  EXPECT_EQ(parsed->slots, options.slots);
  EXPECT_EQ(parsed->base_uid, options.base_uid);
  EXPECT_EQ(parsed->native_runner, options.native_runner);
  EXPECT_EQ(parsed->zygote_library, options.zygote_library);
  EXPECT_EQ(parsed->zygote_term.forks, options.zygote_term.forks);
  EXPECT_EQ(parsed->python_packages, options.python_packages);
  EXPECT_EQ(parsed->egress.subnet, options.egress.subnet);
  EXPECT_EQ(parsed->egress.allow, options.egress.allow);
  EXPECT_EQ(parsed->egress.block, options.egress.block);
  EXPECT_EQ(parsed->egress.resolvers, options.egress.resolvers);
  EXPECT_EQ(parsed->files, options.files);
  EXPECT_TRUE(parsed->only_files);
  EXPECT_FALSE(parse({})->only_files);
}

TEST(SpawnerArgumentsTest, WhatIsNoSpawnersIsNamed) {
  for (const char* wrong : {"slots=many", "slots=3x", "subnet=10.0.0.1/8", "allow=", "resolver=dns", "color=red",
                            "slots", "only=sandboxes"}) {
    const auto parsed = parse({wrong});
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_NE(parsed.error().message.find(wrong), std::string::npos) << parsed.error().message;
  }
}

}  // namespace
}  // namespace infra::sandbox
