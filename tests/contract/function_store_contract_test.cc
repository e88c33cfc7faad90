// The function store's contract on SQLite, and what its cache must not get wrong.
#include "contract/function_store_contract.h"

#include "adapters/embedded/sqlite_function_store.h"
#include "contract/embedded_world.h"

namespace infra {
namespace {

class EmbeddedFunctions : public EmbeddedWorld {
 public:
  SqliteFunctionStore& functions() { return store_; }

 private:
  SqliteFunctionStore store_{*database};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, FunctionStoreContract, EmbeddedFunctions);

TEST(SqliteFunctionStore, ACacheFilledWhileRunsAreCountedStaysExact) {
  EmbeddedFunctions world;
  ASSERT_TRUE(world.run(world.functions().insert(make_function("f", world.now()))));
  SqliteFunctionStore cold(*world.database);  // knows nothing yet: its first find() races with the counts below
  constexpr int kRuns = 300;
  const RunCount run{.function_id = {"f"}, .duration_ms = 1, .handler_ms = 1};
  for (int i = 0; i < kRuns; ++i) {
    ASSERT_TRUE(world.run(cold.count_run(run)));
    if (i % 7 == 0) {
      ASSERT_TRUE(world.run(cold.find({"f"})));
    }
  }
  ASSERT_TRUE(world.run(world.database->write<void>([](sqlite::Connection&) { return Result<void>{}; })));
  EXPECT_EQ(world.run(cold.find({"f"}))->invocations, kRuns);
  EXPECT_EQ(world.run(cold.list(1, ""))->functions.at(0).invocations, kRuns);
}

TEST(FunctionCache, DropsTheLongestUnused) {
  FunctionCache cache(2);
  cache.put(make_function("a", {}));
  cache.put(make_function("b", {}));
  ASSERT_TRUE(cache.find({"a"}));
  cache.put(make_function("c", {}));
  EXPECT_TRUE(cache.find({"a"}));
  EXPECT_FALSE(cache.find({"b"}));
  EXPECT_TRUE(cache.find({"c"}));
}

}  // namespace
}  // namespace infra
