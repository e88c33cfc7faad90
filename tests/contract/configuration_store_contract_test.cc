// The configuration store's contract on SQLite, and its sweep.
#include "contract/configuration_store_contract.h"

#include "adapters/sqlite/sqlite_configuration_store.h"
#include "contract/embedded_world.h"

namespace infra {
namespace {

class EmbeddedConfiguration : public EmbeddedWorld {
 public:
  SqliteConfigurationStore& configuration() { return store_; }

 private:
  SqliteConfigurationStore store_{*database};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, ConfigurationStoreContract, EmbeddedConfiguration);

TEST(SqliteConfiguration, WhatHasExpiredIsSwept) {
  EmbeddedConfiguration world;
  const auto put = [&](const char* sort, std::optional<WallTime> until) {
    return world.run(world.configuration().put_new(
        {.key = {.partition = "p", .sort = sort}, .attributes = {}, .expires_at = until}));
  };
  ASSERT_TRUE(put("stays", std::nullopt));
  ASSERT_TRUE(put("lives", world.now() + std::chrono::hours{2}));
  ASSERT_TRUE(put("goes", world.now() + std::chrono::hours{1}));
  ASSERT_TRUE(world.run(world.configuration().sweep(world.now() + std::chrono::hours{1})));
  const auto left = world.database->read_now<std::int64_t>(
      [](sqlite::Connection& connection) { return connection.query_integer("SELECT count(*) FROM configuration"); });
  EXPECT_EQ(left, 2);
}

}  // namespace
}  // namespace infra
