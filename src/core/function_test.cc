// How a function changes: by what the change names, and by nothing else.
#include "core/function.h"

#include <gtest/gtest.h>

namespace infra {
namespace {

TEST(FunctionTest, ChangeIsEmptyUntilAFieldIsSet) {
  EXPECT_TRUE(FunctionChange{}.empty());
  FunctionChange described;
  described.set(&FunctionSettings::description, "");
  EXPECT_FALSE(described.empty());
  FunctionChange cleared;
  cleared.set(&FunctionSettings::env, {});
  EXPECT_FALSE(cleared.empty());
  FunctionChange uploaded;
  uploaded.code = CodeRef{"k", "s"};
  EXPECT_FALSE(uploaded.empty());
}

TEST(FunctionTest, AChangeSetsWhatItNamesAlone) {
  Function before;
  before.name = "f";
  before.memory_mb = 256;
  before.env = {{"A", "1"}};
  before.keep_warm = 2;
  before.code = {"k", "s"};
  before.original_name = "f.zip";
  const WallTime now{milliseconds{5}};

  FunctionChange change;
  change.set(&FunctionSettings::keep_warm, 0);
  change.set(&FunctionSettings::env, {});
  const Function after = apply(before, change, now);
  EXPECT_EQ(after.keep_warm, 0);
  EXPECT_TRUE(after.env.empty());
  EXPECT_EQ(after.name, "f");
  EXPECT_EQ(after.memory_mb, 256);
  EXPECT_EQ(after.code, before.code);
  EXPECT_EQ(after.original_name, "f.zip");
  EXPECT_EQ(after.version, before.version + 1);
  EXPECT_EQ(after.updated_at, now);
}

}  // namespace
}  // namespace infra
