#include "sandbox/system/ipv4.h"

#include <gtest/gtest.h>

namespace infra::sandbox {

namespace {

TEST(Ipv4Test, RangesAreReadAndWritten) {
  EXPECT_EQ(to_string(*parse_ipv4_range("10.1.0.0/16")), "10.1.0.0/16");
  EXPECT_EQ(to_string(*parse_ipv4_range("192.0.2.1")), "192.0.2.1/32");
  EXPECT_EQ(parse_ipv4_range("0.0.0.0/0")->mask(), 0U);
  for (const char* text :
       {"", "10.1", "10.1.0.0/", "10.1.0.0/33", "10.1.0.0/-1", "10.1.0.0/8x", "host", "::1", " 10.0.0.1"})
    EXPECT_FALSE(parse_ipv4_range(text)) << text;
  const auto crooked = parse_ipv4_range("10.1.2.3/16");
  ASSERT_FALSE(crooked);
  EXPECT_NE(crooked.error().message.find("10.1.0.0/16"), std::string::npos) << crooked.error().message;
}

TEST(Ipv4Test, RangesOverlapWhereOneHoldsTheOther) {
  const auto overlap = [](const char* a, const char* b) {
    return parse_ipv4_range(a)->overlaps(*parse_ipv4_range(b)) && parse_ipv4_range(b)->overlaps(*parse_ipv4_range(a));
  };
  EXPECT_TRUE(overlap("198.18.0.0/15", "198.19.240.0/20"));
  EXPECT_TRUE(overlap("0.0.0.0/0", "10.0.0.1"));
  EXPECT_FALSE(overlap("198.18.0.0/20", "198.18.16.0/20"));
}

}  // namespace
}  // namespace infra::sandbox
