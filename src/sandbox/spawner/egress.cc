#include "sandbox/spawner/egress.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <utility>

#include "core/error_codes.h"
#include "sandbox/system/netlink.h"
#include "sandbox/system/nftables.h"
#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

constexpr const char* kForwarding = "/proc/sys/net/ipv4/ip_forward";
constexpr std::chrono::seconds kRetry{5};
constexpr std::chrono::seconds kLookAtLinks{2};
constexpr int kShortestLink = 8;  // what is wider is no network at the machine's side, but a tunnel to everywhere
constexpr std::size_t kPrefixDigits = 6;  // of the instance's name in an interface's, which has 15 characters

std::unexpected<Error> unavailable(std::string why) {
  return fail(errors::egress_unavailable.as(ErrorKind::unavailable), std::move(why));
}

std::string read_file(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// systemd's own resolver listens on loopback and keeps what it asks itself in a file beside.
std::vector<Ipv4> machine_resolvers() {
  auto found = resolvers_of(read_file("/etc/resolv.conf"));
  return found.empty() ? resolvers_of(read_file("/run/systemd/resolve/resolv.conf")) : found;
}

Result<std::vector<Route>> read_routes() {
  auto socket = Netlink::open();
  if (!socket) return fail(socket.error());
  return Netlink(std::move(*socket)).routes();
}

// A name in the network namespace that one process can have at a time, and that goes with it.
UniqueFd claim(const Ipv4Range& addresses) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string text = "infra-egress/" + to_string(addresses);
  text.copy(name.sun_path + 1, sizeof name.sun_path - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  if (!socket.valid() || ::bind(socket.get(), reinterpret_cast<sockaddr*>(&name), size) != 0) return {};
  return socket;
}

}  // namespace

Egress::Egress(const EgressOptions& options, std::string instance) : options_(options), instance_(std::move(instance)) {
  if (::access(marker().c_str(), F_OK) == 0) remove_rules();
}

Egress::~Egress() {
  if (open_) remove_rules();
}

// "add" first, so that there is something to delete.
void Egress::remove_rules() const {
  (void)run_nft(fmt::format("add table inet {0}\ndelete table inet {0}\n", table()));
  ::unlink(marker().c_str());
}

std::string Egress::interface_prefix() const {
  return std::string(kEgressInterfaces) + instance_.substr(0, kPrefixDigits);
}

Result<void> Egress::open(std::span<const Ipv4> engines) {
  if (open_) return {};
  const auto now = std::chrono::steady_clock::now();
  if (failure_ && now - failed_at_ < kRetry) return fail(*failure_);
  auto done = set_up(engines);
  open_ = done.has_value();
  if (!done) {
    failure_ = done.error();
    failed_at_ = now;
  }
  return done;
}

Result<void> Egress::set_up(std::span<const Ipv4> engines) {
  if (find_nft().empty()) return unavailable("the program nft is missing (Debian's package nftables)");
  const auto routes = read_routes();
  if (!routes) return unavailable(routes.error().message);
  if (auto chosen = choose_addresses(*routes); !chosen) return chosen;
  links_ = links_of(*routes);
  links_seen_ = std::chrono::steady_clock::now();
  resolvers_ = options_.resolvers.empty() ? machine_resolvers() : options_.resolvers;
  EgressRules rules{.table = table(),
                    .interface_prefix = interface_prefix(),
                    .sandboxes = addresses_,
                    .allow = options_.allow,
                    .block = options_.block,
                    .resolvers = resolvers_,
                    .links = links_};
  for (const Ipv4 engine : engines) rules.block.push_back({.first = engine});
  {
    const UniqueFd made(::open(marker().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  }
  if (auto loaded = run_nft(nftables_text(rules)); !loaded) return unavailable(loaded.error().message);
  if (auto forwarding = forward_packets(); !forwarding) {
    remove_rules();
    return forwarding;
  }
  return {};
}

// A part that no route of the machine's leads into (a directly connected network has one, too) and no other program
// has. Each program begins to look elsewhere.
Result<void> Egress::choose_addresses(const std::vector<Route>& routes) {
  const auto parts = 1U << (kEgressBlockPrefix - options_.subnet.prefix);
  const auto begin = std::hash<std::string>{}(instance_);
  for (unsigned i = 0; i < parts; ++i) {
    const auto part = static_cast<Ipv4>((begin + i) % parts);
    const Ipv4Range candidate{.first = options_.subnet.first + (part << (32 - kEgressBlockPrefix)),
                              .prefix = kEgressBlockPrefix};
    if (std::ranges::any_of(routes, [&](const Route& route) { return route.to.overlaps(candidate); })) continue;
    claim_ = claim(candidate);
    if (!claim_.valid()) continue;
    addresses_ = candidate;
    return {};
  }
  return unavailable(fmt::format("all of {} is in use here; set INFRA_EGRESS_SUBNET to a range that is free",
                                 to_string(options_.subnet)));
}

// Machines beside this one, whatever their addresses. Those of sandboxes, of which there may be a thousand, and others
// that are blocked anyway are left out.
std::vector<Ipv4Range> Egress::links_of(const std::vector<Route>& routes) const {
  std::vector<Ipv4Range> links;
  for (const auto& [to, on_link] : routes) {
    const auto covers = [&](const Ipv4Range& range) { return range.prefix <= to.prefix && range.overlaps(to); };
    if (!on_link || to.prefix < kShortestLink || covers(addresses_) || std::ranges::any_of(never_public(), covers))
      continue;
    links.push_back(to);
  }
  std::ranges::sort(links, {}, [](const Ipv4Range& range) { return std::pair(range.first, range.prefix); });
  links.erase(std::unique(links.begin(), links.end()), links.end());
  return links;
}

void Egress::follow_links() {
  const auto now = std::chrono::steady_clock::now();
  if (!open_ || now - links_seen_ < kLookAtLinks) return;
  links_seen_ = now;
  const auto routes = read_routes();
  if (!routes) return;
  auto links = links_of(*routes);
  if (links != links_ && run_nft(links_text(table(), links))) links_ = std::move(links);
}

// The guard comes first: what was not forwarded yet is not for a moment.
Result<void> Egress::forward_packets() {
  if (read_file(kForwarding).starts_with('1')) return {};
  if (auto guarded = run_nft(forwarding_guard_text()); !guarded) return unavailable(guarded.error().message);
  const UniqueFd file(::open(kForwarding, O_WRONLY | O_CLOEXEC));
  if (!file.valid() || ::write(file.get(), "1", 1) != 1)
    return unavailable(system_failure("turning on net.ipv4.ip_forward").error().message);
  note_ =
      fmt::format("net.ipv4.ip_forward is on now, for functions alone: table ip {} drops what else would be forwarded",
                  kForwardingGuard);
  return {};
}

// Round and round: what was given back longest ago is taken next, as the machine remembers flows for a while.
Result<Egress::Lease> Egress::take() {
  follow_links();
  for (int i = 1; i <= kMaxEgressSandboxes; ++i) {
    const int number = (last_ + i) % kMaxEgressSandboxes;
    if (taken_.test(static_cast<std::size_t>(number))) continue;
    auto machine = Netlink::open();
    if (!machine) return fail(machine.error());
    Lease lease{.plan = {}, .machine = std::move(*machine), .number = number};
    fmt::format_to_n(lease.plan.link.data(), lease.plan.link.size() - 1, "{}{:x}", interface_prefix(), number);
    lease.plan.gateway = addresses_.first + 2 * static_cast<Ipv4>(number);
    lease.plan.address = lease.plan.gateway + 1;
    std::ranges::copy_n(resolvers_.begin(), static_cast<std::ptrdiff_t>(std::min(resolvers_.size(), kMaxResolvers)),
                        lease.plan.resolvers.begin());
    taken_.set(static_cast<std::size_t>(number));
    last_ = number;
    return lease;
  }
  return system_failure("finding an address for a sandbox", EADDRNOTAVAIL);
}

void Egress::give_back(int number) {
  taken_.reset(static_cast<std::size_t>(number));
}

}  // namespace infra::sandbox
