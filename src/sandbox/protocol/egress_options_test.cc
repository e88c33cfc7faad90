#include "sandbox/protocol/egress_options.h"

#include <gtest/gtest.h>

namespace infra::sandbox {

namespace {

TEST(EgressOptionsTest, OpeningsMayNameAPort) {
  const auto opening = parse_egress_opening("10.1.2.3:5432");
  ASSERT_TRUE(opening);
  EXPECT_EQ(to_string(opening->range), "10.1.2.3/32");
  EXPECT_EQ(opening->port, 5432);
  EXPECT_EQ(parse_egress_opening("10.0.0.0/8")->port, 0);
  for (const char* text : {"10.0.0.0/8:", "10.0.0.0/8:0", "10.0.0.0/8:65536", "10.0.0.0/8:http", ":80"})
    EXPECT_FALSE(parse_egress_opening(text)) << text;
}

}  // namespace
}  // namespace infra::sandbox
