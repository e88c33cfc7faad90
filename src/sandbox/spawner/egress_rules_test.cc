#include "sandbox/spawner/egress_rules.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace infra::sandbox {
namespace {

TEST(EgressRulesTest, NothingPrivateIsPublic) {
  const auto blocked = [](const char* address) {
    return std::ranges::any_of(never_public(),
                               [&](const auto& range) { return range.overlaps({*parse_ipv4(address)}); });
  };
  for (const char* address :
       {"0.0.0.0", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1", "168.63.129.16",
        "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.168.1.1",
        "198.19.255.255", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"})
    EXPECT_TRUE(blocked(address)) << address;
  for (const char* address : {"1.1.1.1", "9.255.255.255", "100.63.255.255", "100.128.0.0", "172.15.255.255",
                              "172.32.0.0", "192.0.1.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"})
    EXPECT_FALSE(blocked(address)) << address;
}

TEST(EgressRulesTest, ResolversAreThoseThatASandboxCanReach) {
  const auto found = resolvers_of(
      "# nameserver 1.2.3.4\nsearch example\nnameserver 127.0.0.53\nnameserver\t192.0.2.1 \nnameserver ::1\n"
      "nameserver 192.0.2.2\nnameserverx 192.0.2.9\nnameserver 192.0.2.3\nnameserver 192.0.2.4");
  EXPECT_EQ(found, (std::vector<Ipv4>{0xc0000201, 0xc0000202, 0xc0000203}));
  EXPECT_TRUE(resolvers_of("nameserver 127.0.0.53").empty());
  EXPECT_TRUE(resolvers_of("").empty());
}

// Whether nft takes the text, and what it does, is the sandbox's test.
TEST(EgressRulesTest, ExceptionsComeBeforeWhatIsBlocked) {
  const std::string text = nftables_text({.table = "infra_x",
                                          .interface_prefix = "infraabc",
                                          .sandboxes = *parse_ipv4_range("198.18.16.0/20"),
                                          .allow = {*parse_egress_opening("10.1.2.3:5432")},
                                          .block = {*parse_ipv4_range("203.0.113.0/24")},
                                          .resolvers = {*parse_ipv4("192.0.2.1")}});
  for (const char* part : {"ip daddr 10.1.2.3/32 meta l4proto { tcp, udp } th dport 5432 accept",
                           "ip daddr 192.0.2.1 meta l4proto { tcp, udp } th dport 53 accept", "203.0.113.0/24",
                           "169.254.0.0/16", "ip saddr != 198.18.16.0/20 drop", "iifname \"infraabc*\" goto outbound"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  EXPECT_LT(text.find("jump permitted"), text.find("ip daddr @blocked goto refused"));
}

TEST(EgressRulesTest, LinksAreASetThatIsReplaced) {
  EXPECT_EQ(links_text("infra_x", {*parse_ipv4_range("203.0.113.0/24"), *parse_ipv4_range("192.0.2.128/25")}),
            "flush set inet infra_x links\nadd element inet infra_x links { 203.0.113.0/24, 192.0.2.128/25 }\n");
  EXPECT_EQ(links_text("infra_x", {}), "flush set inet infra_x links\n");
}

}  // namespace
}  // namespace infra::sandbox
