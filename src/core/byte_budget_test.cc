// Who waits, who comes first, and that nobody's bytes outlast them.
#include "core/byte_budget.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace infra {
namespace {

class ByteBudgetTest : public ::testing::Test {
 protected:
  using Claim = std::shared_ptr<const ByteClaim>;
  Claim claim(std::string_view owner, std::uint64_t bytes) {
    return budget_.claim(owner, bytes, [this, owner = std::string(owner)] { told_.push_back(owner); });
  }

  ByteBudget budget_{100};
  std::vector<std::string> told_;
};

TEST_F(ByteBudgetTest, WhatFitsIsGrantedAtOnceAndTheRestInLine) {
  Claim first = claim("a", 60);
  const Claim second = claim("b", 60);
  const Claim third = claim("c", 10);  // would fit, but it is not its turn
  EXPECT_TRUE(first->granted());
  EXPECT_FALSE(second->granted());
  EXPECT_FALSE(third->granted());
  EXPECT_EQ(budget_.use().bytes, 60U);
  EXPECT_EQ(budget_.use().waiting, 2U);
  EXPECT_TRUE(told_.empty());
  first.reset();
  EXPECT_TRUE(second->granted());
  EXPECT_TRUE(third->granted());
  EXPECT_EQ(told_, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(budget_.use().waited_total, 2U);
}

TEST_F(ByteBudgetTest, WhoHoldsNothingComesFirst) {
  Claim large = claim("a", 80);
  const Claim again = claim("a", 30);
  const Claim other = claim("b", 30);
  large.reset();
  EXPECT_EQ(told_, (std::vector<std::string>{"a", "b"}));
  const Claim more = claim("a", 10);  // 40 of a's half
  EXPECT_TRUE(more->granted());
  const Claim too_much = claim("a", 20);
  EXPECT_FALSE(too_much->granted());
  EXPECT_TRUE(claim("c", 30)->granted());  // there is room, which is not a's
}

TEST_F(ByteBudgetTest, OneClaimMayBeAsLargeAsAllOfIt) {
  const Claim all = claim("a", 1000);
  EXPECT_TRUE(all->granted());
  EXPECT_EQ(budget_.use().bytes, 100U);
}

TEST_F(ByteBudgetTest, WhoLeavesTheLineIsSkipped) {
  Claim first = claim("a", 100);
  Claim second = claim("b", 100);
  const Claim third = claim("c", 100);
  second.reset();
  EXPECT_FALSE(third->granted());
  first.reset();
  EXPECT_TRUE(third->granted());
  EXPECT_EQ(told_, (std::vector<std::string>{"c"}));
}

TEST_F(ByteBudgetTest, AClaimOutlivesItsBudget) {
  std::optional<ByteBudget> budget(10);
  const Claim claim = budget->claim("a", 5, [] {});
  budget.reset();
  EXPECT_TRUE(claim->granted());
}

}  // namespace
}  // namespace infra
