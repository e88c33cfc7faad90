// Which names can be claimed, and what is proposed where one can't.
#include "core/function_name.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

namespace infra {
namespace {

constexpr std::string_view kUuid = "01890000-0000-7000-8000-000000000000";

TEST(FunctionName, LambdasNamesCanBeClaimed) {
  for (const auto* name : {"a", "resize", "my_func-2", "UPPER", "-", "007"})
    EXPECT_TRUE(is_claimable_name(name)) << name;
  EXPECT_TRUE(is_claimable_name(std::string(64, 'x')));
  for (const auto* name : {"", "a b", "a.zip", "name:a", "größe", "a/b", "a\n"})
    EXPECT_FALSE(is_claimable_name(name)) << name;
  EXPECT_FALSE(is_claimable_name(std::string(65, 'x')));
  EXPECT_FALSE(is_claimable_name(kUuid));
}

TEST(FunctionName, TheProposalResemblesTheName) {
  EXPECT_EQ(claimable_name_like("My Function (2).zip"), "My-Function-2-zip");
  EXPECT_EQ(claimable_name_like("größe"), "gr-e");
  EXPECT_EQ(claimable_name_like("  spaced  "), "spaced");
  EXPECT_EQ(claimable_name_like("日本"), "my-function");
  EXPECT_EQ(claimable_name_like(""), "my-function");
  EXPECT_EQ(claimable_name_like(std::string(300, 'x')), std::string(64, 'x'));
  EXPECT_EQ(claimable_name_like(kUuid), "f-" + std::string(kUuid));
}

TEST(FunctionName, TheRefusalProposesOne) {
  EXPECT_TRUE(check_claimable("resize"));
  const auto refused = check_claimable("a b");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "invalid_name");
  EXPECT_NE(refused.error().message.find("\"a-b\""), std::string::npos) << refused.error().message;
}

TEST(FunctionName, AReferenceIsAPrefixAway) {
  EXPECT_EQ(name_referred_to("name:a"), "a");
  EXPECT_EQ(name_referred_to("name:"), "");
  EXPECT_FALSE(name_referred_to("a"));
  EXPECT_FALSE(name_referred_to(kUuid));
}

TEST(FunctionName, EveryProposalCanBeClaimed) {
  EXPECT_TRUE(rc::check([](const std::string& name) { RC_ASSERT(is_claimable_name(claimable_name_like(name))); }));
}

}  // namespace
}  // namespace infra
