#include "worker/sandbox/egress_rules.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace infra::worker {
namespace {

// Connections at once, of one sandbox: the machine's table of them is finite and everybody's.
constexpr int kMaxFlows = 1024;

std::unexpected<Error> not_valid(std::string message) {
  return fail(ErrorKind::invalid, "invalid_address", std::move(message));
}

std::optional<int> parse_number(std::string_view text, int most) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0 || number > most) return std::nullopt;
  return number;
}

std::string list(const std::vector<Ipv4Range>& ranges) {
  std::string text;
  for (const auto& range : ranges) text += (text.empty() ? "" : ", ") + to_string(range);
  return text;
}

}  // namespace

std::string to_string(Ipv4 address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, (address >> 16) & 255, (address >> 8) & 255, address & 255);
}

std::string to_string(const Ipv4Range& range) {
  return fmt::format("{}/{}", to_string(range.first), range.prefix);
}

Result<Ipv4> parse_ipv4(std::string_view text) {
  in_addr address{};
  if (::inet_pton(AF_INET, std::string(text).c_str(), &address) != 1)
    return not_valid(fmt::format("\"{}\" is no IPv4 address such as 10.1.2.3", text));
  return ntohl(address.s_addr);
}

Result<Ipv4Range> parse_ipv4_range(std::string_view text) {
  const auto slash = text.find('/');
  auto first = parse_ipv4(text.substr(0, slash));
  if (!first) return fail(first.error());
  const auto prefix = slash == std::string_view::npos ? 32 : parse_number(text.substr(slash + 1), 32);
  if (!prefix) return not_valid(fmt::format("\"{}\" is no range such as 10.1.0.0/16", text));
  const Ipv4Range range{.first = *first, .prefix = *prefix};
  if ((range.first & ~range.mask()) != 0) {
    const Ipv4Range meant{.first = range.first & range.mask(), .prefix = range.prefix};
    return not_valid(fmt::format("\"{}\" has bits behind its prefix; {} is the whole range", text, to_string(meant)));
  }
  return range;
}

Result<EgressOpening> parse_egress_opening(std::string_view text) {
  const auto colon = text.find(':');
  auto range = parse_ipv4_range(text.substr(0, colon));
  if (!range) return fail(range.error());
  if (colon == std::string_view::npos) return EgressOpening{.range = *range};
  const auto port = parse_number(text.substr(colon + 1), 65535);
  if (!port || *port == 0) return not_valid(fmt::format("\"{}\" has no port from 1 to 65535 after its colon", text));
  return EgressOpening{.range = *range, .port = static_cast<std::uint16_t>(*port)};
}

std::vector<Ipv4> resolvers_of(std::string_view resolv_conf) {
  std::vector<Ipv4> found;
  while (!resolv_conf.empty() && found.size() < kMaxResolvers) {
    const auto end = std::min(resolv_conf.find('\n'), resolv_conf.size());
    auto line = resolv_conf.substr(0, end);
    resolv_conf.remove_prefix(std::min(end + 1, resolv_conf.size()));
    if (!line.starts_with("nameserver")) continue;
    line.remove_prefix(std::string_view("nameserver").size());
    const auto begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos || begin == 0) continue;
    line = line.substr(begin, line.find_first_of(" \t\r#;", begin) - begin);
    const auto address = parse_ipv4(line);
    if (address && *address >> 24 != 127) found.push_back(*address);
  }
  return found;
}

const std::vector<Ipv4Range>& never_public() {
  static const std::vector<Ipv4Range> kRanges = [] {
    std::vector<Ipv4Range> ranges;
    for (const char* text :
         {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
          "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"}) {
      ranges.push_back(*parse_ipv4_range(text));
    }
    return ranges;
  }();
  return kRanges;
}

// Each packet of a function's is looked at, those of established connections too: nothing that a connection brings
// about (nf_conntrack's helpers) opens more. What goes to the machine itself, by whatever address, meets `input`.
// Refused rather than dropped, so that a function learns of it at once; the kernel sends only so many ICMP messages a
// second, so TCP gets its own answer.
std::string nftables_text(const EgressRules& rules) {
  std::vector<Ipv4Range> blocked = never_public();
  blocked.insert(blocked.end(), rules.block.begin(), rules.block.end());
  blocked.push_back(rules.sandboxes);
  std::string openings;
  for (const auto& opening : rules.allow) {
    openings += fmt::format("    ip daddr {} ", to_string(opening.range));
    if (opening.port != 0) openings += fmt::format("meta l4proto {{ tcp, udp }} th dport {} ", opening.port);
    openings += "accept\n";
  }
  for (const Ipv4 resolver : rules.resolvers)
    openings += fmt::format("    ip daddr {} meta l4proto {{ tcp, udp }} th dport 53 accept\n", to_string(resolver));
  return fmt::format(R"(table inet {table} {{}}
delete table inet {table}
table inet {table} {{
  set blocked {{ type ipv4_addr; flags interval; auto-merge; elements = {{ {blocked} }} }}
  set flows {{ type ipv4_addr; size 65535; flags dynamic; }}
  chain refused {{
    meta l4proto tcp reject with tcp reset
    reject with icmp type admin-prohibited
  }}
  chain permitted {{
    meta nfproto != ipv4 drop
    ip saddr != {sandboxes} drop
    ip hdrlength > 5 drop
    ct state new add @flows {{ ip saddr ct count over {flows} }} goto refused
{openings}  }}
  chain outbound {{
    jump permitted
    ip daddr @blocked goto refused
    accept
  }}
  chain forward {{
    type filter hook forward priority 0; policy accept;
    iifname "{prefix}*" goto outbound
    oifname "{prefix}*" ct state established,related accept
    oifname "{prefix}*" drop
  }}
  chain input {{
    type filter hook input priority 0; policy accept;
    iifname "{prefix}*" jump permitted
    iifname "{prefix}*" goto refused
  }}
  chain postrouting {{
    type nat hook postrouting priority 100; policy accept;
    ip saddr {sandboxes} oifname != "{all}*" masquerade
  }}
}}
)",
                     fmt::arg("table", rules.table), fmt::arg("blocked", list(blocked)),
                     fmt::arg("sandboxes", to_string(rules.sandboxes)), fmt::arg("flows", kMaxFlows),
                     fmt::arg("openings", openings), fmt::arg("prefix", rules.interface_prefix),
                     fmt::arg("all", kEgressInterfaces));
}

std::string forwarding_guard_text() {
  return fmt::format(R"(table ip {table} {{}}
delete table ip {table}
table ip {table} {{
  chain forward {{
    type filter hook forward priority 0; policy drop;
    iifname "{all}*" accept
    oifname "{all}*" accept
  }}
}}
)",
                     fmt::arg("table", kForwardingGuard), fmt::arg("all", kEgressInterfaces));
}

}  // namespace infra::worker
