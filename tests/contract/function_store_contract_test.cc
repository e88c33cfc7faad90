// The function store's contract on SQLite, and what its cache drops.
#include "contract/function_store_contract.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "adapters/sqlite/sqlite_code_use.h"
#include "adapters/sqlite/sqlite_function_store.h"
#include "contract/embedded_world.h"

namespace infra {
namespace {

using ::testing::ElementsAre;

class EmbeddedFunctions : public EmbeddedWorld {
 public:
  SqliteFunctionStore& functions() { return store_; }

 private:
  SqliteFunctionStore store_{*database};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, FunctionStoreContract, EmbeddedFunctions);

// Found by simulation: a program that was lost between the change and the retirement left the bundle for ever.
TEST(SqliteFunctions, CodeThatARowLeavesIsListedInTheSameChange) {
  EmbeddedWorld world;
  std::vector<std::string> left;
  SqliteFunctionStore store(*world.database, [&left](const std::string& sha256) { left.push_back(sha256); });
  SqliteRetiredCode retired(*world.database);
  Function function = make_function("a", {});
  function.code = {.key = "1", .sha256 = std::string(64, '1')};
  ASSERT_TRUE(world.run(store.insert(function)));
  FunctionChange change;
  change.code = CodeRef{.key = "2", .sha256 = std::string(64, '2')};
  ASSERT_TRUE(world.run(store.update({"a"}, change, world.now())));
  EXPECT_THAT(world.run(retired.list()).value(), ElementsAre(std::string(64, '1')));
  FunctionChange renamed;
  renamed.original_name = "b.zip";
  ASSERT_TRUE(world.run(store.update({"a"}, renamed, world.now())));
  ASSERT_TRUE(world.run(store.remove({"a"})));
  EXPECT_THAT(world.run(retired.list()).value(), ElementsAre(std::string(64, '1'), std::string(64, '2')));
  EXPECT_THAT(left, ElementsAre(std::string(64, '1'), std::string(64, '2')));
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
