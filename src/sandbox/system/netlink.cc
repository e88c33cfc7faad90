#include "sandbox/system/netlink.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>

#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

constexpr std::size_t kReplyBytes = 32768;
using Buffer = std::array<std::byte, kReplyBytes>;

template <typename T>
T read_at(std::span<const std::byte> bytes, std::size_t offset = 0) {
  T value{};
  if (offset + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// Calls `take` with each message of a datagram, header and all.
void for_each_message(std::span<const std::byte> datagram, const auto& take) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    const auto header = read_at<nlmsghdr>(datagram);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) return;
    take(header, datagram.first(header.nlmsg_len));
    datagram = datagram.subspan(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), datagram.size()));
  }
}

std::optional<std::span<const std::byte>> find_attribute(std::span<const std::byte> attributes, unsigned short type) {
  while (attributes.size() >= sizeof(rtattr)) {
    const auto head = read_at<rtattr>(attributes);
    if (head.rta_len < sizeof head || head.rta_len > attributes.size()) return std::nullopt;
    if (head.rta_type == type) return attributes.first(head.rta_len).subspan(sizeof head);
    attributes = attributes.subspan(std::min<std::size_t>(RTA_ALIGN(head.rta_len), attributes.size()));
  }
  return std::nullopt;
}

}  // namespace

// A request that grows: header, fixed body, attributes.
class Netlink::Message {
 public:
  template <typename Body>
  Message(std::uint16_t type, std::uint16_t flags, const Body& body) {
    append(nlmsghdr{.nlmsg_len = 0, .nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = 0, .nlmsg_pid = 0});
    append(body);
  }

  Message& add(unsigned short type, const auto& value) {
    const auto begun = open(type);
    append(value);
    return close(begun);
  }
  Message& add(unsigned short type, const std::string& text) {
    const auto begun = open(type);
    append_bytes(std::as_bytes(std::span(text.c_str(), text.size() + 1)));
    return close(begun);
  }
  template <typename Body>
  std::size_t open(unsigned short type, const Body& body) {
    const auto begun = open(type);
    append(body);
    return begun;
  }
  std::size_t open(unsigned short type) {
    const std::size_t begun = bytes_.size();
    append(rtattr{.rta_len = 0, .rta_type = type});
    return begun;
  }
  Message& close(std::size_t begun) {
    const auto size = static_cast<unsigned short>(bytes_.size() - begun);
    std::memcpy(bytes_.data() + begun + offsetof(rtattr, rta_len), &size, sizeof size);
    bytes_.resize(RTA_ALIGN(bytes_.size()));
    return *this;
  }

  std::span<const std::byte> finish(unsigned sequence) {
    const auto size = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_len), &size, sizeof size);
    std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_seq), &sequence, sizeof sequence);
    return bytes_;
  }

 private:
  void append(const auto& value) { append_bytes(std::as_bytes(std::span(&value, 1))); }
  void append_bytes(std::span<const std::byte> added) { bytes_.insert(bytes_.end(), added.begin(), added.end()); }

  std::vector<std::byte> bytes_;
};

Result<UniqueFd> Netlink::open() {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket.valid()) return system_failure("opening a netlink socket");
  return socket;
}

int Netlink::exchange(Message& message) {
  const auto request = message.finish(++sequence_);
  if (::send(socket_.get(), request.data(), request.size(), 0) < 0) return errno;
  Buffer buffer;
  for (;;) {
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    std::optional<int> answer;
    for_each_message(std::span(buffer).first(static_cast<std::size_t>(got)), [&](const nlmsghdr& header, auto whole) {
      if (header.nlmsg_seq == sequence_ && header.nlmsg_type == NLMSG_ERROR)
        answer = -read_at<nlmsgerr>(whole, NLMSG_HDRLEN).error;
    });
    if (answer) return *answer;
  }
}

Result<void> Netlink::call(Message message, const std::string& step) {
  if (const int error = exchange(message); error != 0) return system_failure(step, error);
  return {};
}

Result<void> Netlink::add_veth(const std::string& name, const std::string& peer, int peer_namespace) {
  Message message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  message.add(IFLA_IFNAME, name);
  const auto info = message.open(IFLA_LINKINFO);
  message.add(IFLA_INFO_KIND, std::string("veth"));
  const auto data = message.open(IFLA_INFO_DATA);
  const auto other = message.open(VETH_INFO_PEER, ifinfomsg{});
  message.add(IFLA_IFNAME, peer).add(IFLA_NET_NS_FD, peer_namespace);
  message.close(other).close(data).close(info);
  int error = exchange(message);
  if (error == EEXIST) {  // of a sandbox that the kernel has not cleared away yet
    Message removal(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, ifinfomsg{});
    removal.add(IFLA_IFNAME, name);
    (void)exchange(removal);
    error = exchange(message);
  }
  if (error != 0) return system_failure("making a network link", error);
  return {};
}

Result<int> Netlink::index_of(const std::string& name) {
  Message message(RTM_GETLINK, NLM_F_REQUEST, ifinfomsg{});
  message.add(IFLA_IFNAME, name);
  const auto request = message.finish(++sequence_);
  Buffer buffer;
  if (::send(socket_.get(), request.data(), request.size(), 0) < 0) return system_failure("finding a network link");
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) return system_failure("finding a network link");
  int index = 0;
  for_each_message(std::span(buffer).first(static_cast<std::size_t>(got)), [&](const nlmsghdr& header, auto whole) {
    if (header.nlmsg_type == RTM_NEWLINK) index = read_at<ifinfomsg>(whole, NLMSG_HDRLEN).ifi_index;
  });
  if (index == 0) return system_failure("finding a network link", ENODEV);
  return index;
}

Result<void> Netlink::raise(const std::string& name, Ipv4 address, int prefix) {
  auto index = index_of(name);
  if (!index) return fail(index.error());
  ifinfomsg link{};
  link.ifi_index = *index;
  // Before it is up: an address of IPv6 would come by itself.
  Message quiet(RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, link);
  const auto families = quiet.open(IFLA_AF_SPEC);
  const auto family = quiet.open(AF_INET6);
  quiet.add(IFLA_INET6_ADDR_GEN_MODE, std::uint8_t{IN6_ADDR_GEN_MODE_NONE}).close(family).close(families);
  if (const int error = exchange(quiet); error != 0 && error != EAFNOSUPPORT)  // a kernel without IPv6
    return system_failure("keeping a network link without IPv6", error);
  ifaddrmsg place{};
  place.ifa_family = AF_INET;
  place.ifa_prefixlen = static_cast<unsigned char>(prefix);
  place.ifa_index = static_cast<unsigned>(*index);
  Message addressing(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, place);
  addressing.add(IFA_LOCAL, htonl(address)).add(IFA_ADDRESS, htonl(address));
  if (auto added = call(std::move(addressing), "giving a network link its address"); !added) return added;
  link.ifi_flags = IFF_UP;
  link.ifi_change = IFF_UP;
  Message up(RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, link);
  return call(std::move(up), "raising a network link");
}

Result<void> Netlink::add_default_route(Ipv4 gateway) {
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_STATIC;
  route.rtm_scope = RT_SCOPE_UNIVERSE;
  route.rtm_type = RTN_UNICAST;
  Message message(RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, route);
  message.add(RTA_GATEWAY, htonl(gateway));
  return call(std::move(message), "adding a default route");
}

Result<std::vector<Route>> Netlink::routes() {
  rtmsg all{};
  all.rtm_family = AF_INET;
  Message message(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, all);
  const auto request = message.finish(++sequence_);
  if (::send(socket_.get(), request.data(), request.size(), 0) < 0) return system_failure("reading the routes");
  std::vector<Route> found;
  Buffer buffer;
  for (bool done = false; !done;) {
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("reading the routes");
    for_each_message(std::span(buffer).first(static_cast<std::size_t>(got)), [&](const nlmsghdr& header, auto whole) {
      done = done || header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR;
      if (header.nlmsg_type != RTM_NEWROUTE) return;
      const auto route = read_at<rtmsg>(whole, NLMSG_HDRLEN);
      const auto attributes = whole.subspan(std::min(NLMSG_SPACE(sizeof route), whole.size()));
      const auto destination = find_attribute(attributes, RTA_DST);
      if (!destination || route.rtm_dst_len == 0) return;
      const bool by_gateway =
          std::ranges::any_of(std::to_array<unsigned short>({RTA_GATEWAY, RTA_VIA, RTA_MULTIPATH, RTA_NH_ID}),
                              [&](auto attribute) { return find_attribute(attributes, attribute).has_value(); });
      found.push_back({.to = {.first = ntohl(read_at<Ipv4>(*destination)), .prefix = route.rtm_dst_len},
                       .on_link = route.rtm_type == RTN_UNICAST && !by_gateway});
    });
  }
  return found;
}

}  // namespace infra::sandbox
