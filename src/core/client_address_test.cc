// A client must not be able to choose whose budget it spends, nor to have more than one.
#include "core/client_address.h"

#include <gtest/gtest.h>

namespace infra {
namespace {

TEST(ClientAddressTest, WithoutProxiesTheHeaderIsIgnored) {
  EXPECT_EQ(client_address("192.0.2.1", "203.0.113.9", 0), "192.0.2.1");
}

TEST(ClientAddressTest, TakesTheEntryThatTheLastTrustedProxyWrote) {
  const char* forwarded = "6.6.6.6, 198.51.100.7 ,\t203.0.113.9";
  EXPECT_EQ(client_address("10.0.0.1", forwarded, 1), "203.0.113.9");
  EXPECT_EQ(client_address("10.0.0.1", forwarded, 2), "198.51.100.7");
  EXPECT_EQ(client_address("10.0.0.1", forwarded, 3), "6.6.6.6");
}

TEST(ClientAddressTest, FallsBackToThePeer) {
  EXPECT_EQ(client_address("10.0.0.1", "", 1), "10.0.0.1");
  EXPECT_EQ(client_address("10.0.0.1", "203.0.113.9", 2), "10.0.0.1");
  EXPECT_EQ(client_address("10.0.0.1", "6.6.6.6, unknown", 1), "10.0.0.1");
  EXPECT_EQ(client_address("10.0.0.1", "6.6.6.6, ", 1), "10.0.0.1");
  EXPECT_EQ(client_address("10.0.0.1", "6.6.6.6, [::1", 1), "10.0.0.1");
  EXPECT_EQ(client_address("10.0.0.1", std::string_view("6.6.6.6\0a", 9), 1), "10.0.0.1");
}

TEST(ClientAddressTest, ReadsEntriesWithPorts) {
  EXPECT_EQ(client_address("10.0.0.1", "203.0.113.9:4711", 1), "203.0.113.9");
  EXPECT_EQ(client_address("10.0.0.1", "[2001:db8::1]:443", 1), "2001:db8::1");
  EXPECT_EQ(client_address("10.0.0.1", "[2001:db8::1]", 1), "2001:db8::1");
  EXPECT_EQ(client_address("10.0.0.1", "2001:db8::1", 1), "2001:db8::1");
}

TEST(RateKeyTest, AnIpv6NetworkIsOneClient) {
  EXPECT_EQ(rate_key("2001:db8:1:2::1"), rate_key("2001:0DB8:0001:0002:ffff:eeee:dddd:cccc"));
  EXPECT_NE(rate_key("2001:db8:1:2::1"), rate_key("2001:db8:1:3::1"));
  EXPECT_EQ(rate_key("2001:db8:1:2::1"), "2001:db8:1:2::/64");
  EXPECT_EQ(rate_key("fe80::1%eth0"), rate_key("fe80::2"));
}

TEST(RateKeyTest, Ipv4IsWholeHoweverItIsWritten) {
  EXPECT_EQ(rate_key("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(rate_key("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(rate_key("::ffff:c000:201"), "192.0.2.1");
  EXPECT_NE(rate_key("192.0.2.1"), rate_key("192.0.2.2"));
}

}  // namespace
}  // namespace infra
