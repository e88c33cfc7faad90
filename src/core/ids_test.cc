// Ids carry the time of their request: what sorts, expires and names rows depends on these bits.
#include "core/ids.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace infra {
namespace {

UuidRandom any_random() {
  UuidRandom random{};
  for (auto& byte : random) byte = static_cast<std::byte>(*rc::gen::arbitrary<std::uint8_t>());
  return random;
}

WallTime any_time() {
  return WallTime{milliseconds{*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 48)}};
}

TEST(IdsTest, KeepsTimeVersionAndVariantForAnyRandomness) {
  EXPECT_TRUE(rc::check([] {
    const WallTime time = any_time();
    const std::string id = make_uuid_v7(time, any_random());
    RC_ASSERT(uuid_version(id) == 7);
    RC_ASSERT(uuid_v7_time(id) == time);
    RC_ASSERT(std::string_view("89ab").find(id[19]) != std::string_view::npos);  // RFC 9562, variant 10
    RC_ASSERT(is_valid_function_id(id));
  }));
}

TEST(IdsTest, SortsAsTextInTheOrderOfTime) {
  EXPECT_TRUE(rc::check([] {
    const WallTime first = any_time();
    const WallTime second = any_time();
    RC_PRE(first < second);
    RC_ASSERT(make_uuid_v7(first, any_random()) < make_uuid_v7(second, any_random()));
  }));
}

TEST(IdsTest, DiffersWithEveryRandomBitThatIsKept) {
  const WallTime time{milliseconds{1795468142123}};
  const std::string zero = make_uuid_v7(time, UuidRandom{});
  int kept = 0;
  for (std::size_t bit = 0; bit < 80; ++bit) {
    UuidRandom random{};
    random[bit / 8] = static_cast<std::byte>(1 << (bit % 8));
    kept += make_uuid_v7(time, random) == zero ? 0 : 1;
  }
  EXPECT_EQ(kept, 74);
}

TEST(IdsTest, ReadsOthersIdsAndRefusesWhatIsNone) {
  EXPECT_EQ(uuid_version("3F2504E0-4F89-41D3-9A0C-0305E82C3301"), 4);
  EXPECT_EQ(uuid_v7_time("3f2504e0-4f89-41d3-9a0c-0305e82c3301"), std::nullopt);
  EXPECT_EQ(uuid_v7_time("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"),
            WallTime{milliseconds{1645557742000}});  // RFC 9562 A.6
  for (const char* text : {"", "3f2504e04f8941d39a0c0305e82c3301", "3f2504e0-4f89-41d3-9a0c-0305e82c330g",
                           "3f2504e0-4f89-41d3-9a0c-0305e82c33011", "3f2504e0_4f89-41d3-9a0c-0305e82c3301"}) {
    EXPECT_EQ(uuid_version(text), std::nullopt) << text;
  }
}

TEST(IdsTest, FunctionIdsAreSafeInPathsAndKeys) {
  EXPECT_TRUE(is_valid_function_id("my_Function-01"));
  EXPECT_TRUE(is_valid_function_id(std::string(128, 'a')));
  for (const std::string& text : {std::string(), std::string(129, 'a'), std::string("a/b"), std::string(".."),
                                  std::string("a b"), std::string("a\0b", 3), std::string("\xc3\xa4")}) {
    EXPECT_FALSE(is_valid_function_id(text)) << text;
  }
}

}  // namespace
}  // namespace infra
