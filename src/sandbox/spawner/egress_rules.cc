#include "sandbox/spawner/egress_rules.h"

#include <fmt/format.h>

#include <algorithm>

namespace infra::sandbox {
namespace {

// Connections at once, of one sandbox: the machine's table of them is finite, and shared by all.
constexpr int kMaxFlows = 1024;

std::string list(const std::vector<Ipv4Range>& ranges) {
  std::string text;
  for (const auto& range : ranges) text += (text.empty() ? "" : ", ") + to_string(range);
  return text;
}

}  // namespace

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
         {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
          "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"}) {
      ranges.push_back(*parse_ipv4_range(text));
    }
    return ranges;
  }();
  return kRanges;
}

std::string links_text(const std::string& table, const std::vector<Ipv4Range>& links) {
  std::string text = fmt::format("flush set inet {} links\n", table);
  if (!links.empty()) text += fmt::format("add element inet {} links {{ {} }}\n", table, list(links));
  return text;
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
  set links {{ type ipv4_addr; flags interval; auto-merge; }}
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
    ip daddr @links goto refused
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
{links})",
                     fmt::arg("table", rules.table), fmt::arg("blocked", list(blocked)),
                     fmt::arg("sandboxes", to_string(rules.sandboxes)), fmt::arg("flows", kMaxFlows),
                     fmt::arg("openings", openings), fmt::arg("prefix", rules.interface_prefix),
                     fmt::arg("all", kEgressInterfaces), fmt::arg("links", links_text(rules.table, rules.links)));
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

}  // namespace infra::sandbox
