// The function store's contract on SQLite, and what its cache drops.
#include "contract/function_store_contract.h"

#include "adapters/sqlite/sqlite_function_store.h"
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
