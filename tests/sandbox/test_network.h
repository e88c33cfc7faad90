// Gives tests a network of their own to stand on: a machine in a namespace, and beyond its one link an "internet" of
// addresses set aside for documentation, with a private range and a metadata address where real ones have them. Nothing
// of it reaches outside, and all of it goes with the object.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "sandbox/protocol/egress_options.h"
#include "sandbox/spawner/egress_rules.h"
#include "sandbox/system/netlink.h"
#include "sandbox/system/nftables.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

inline UniqueFd own_network() {
  return UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
}

// The calling thread is in another network namespace meanwhile.
class InNetwork {
 public:
  explicit InNetwork(int network) : before_(own_network()) { EXPECT_EQ(::setns(network, CLONE_NEWNET), 0); }
  ~InNetwork() { EXPECT_EQ(::setns(before_.get(), CLONE_NEWNET), 0); }
  InNetwork(const InNetwork&) = delete;
  InNetwork& operator=(const InNetwork&) = delete;

 private:
  UniqueFd before_;
};

inline sockaddr_in test_address(const std::string& address, std::uint16_t port) {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &made.sin_addr);
  return made;
}

// Answers each TCP connection and each UDP datagram with the address that it came from, on all of the network's.
class AddressServer {
 public:
  static constexpr std::uint16_t kPort = 7007;

  explicit AddressServer(int network, std::uint16_t port = kPort) : stop_(::eventfd(0, EFD_CLOEXEC)) {
    const InNetwork there(network);
    const auto everywhere = test_address("0.0.0.0", port);
    const auto* address = reinterpret_cast<const sockaddr*>(&everywhere);
    tcp_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    udp_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    EXPECT_EQ(::setsockopt(udp_.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on), 0);
    EXPECT_EQ(::bind(tcp_.get(), address, sizeof everywhere), 0);
    EXPECT_EQ(::bind(udp_.get(), address, sizeof everywhere), 0);
    EXPECT_EQ(::listen(tcp_.get(), 64), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~AddressServer() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
  }
  AddressServer(const AddressServer&) = delete;
  AddressServer& operator=(const AddressServer&) = delete;

 private:
  void serve() {
    for (;;) {
      std::array<pollfd, 3> polled{{{stop_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}, {udp_.get(), POLLIN, 0}}};
      ::poll(polled.data(), polled.size(), -1);
      if (polled[0].revents != 0) return;
      sockaddr_in from{};
      socklen_t size = sizeof from;
      if (polled[1].revents != 0) {
        const UniqueFd connection(::accept4(tcp_.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC));
        const std::string text = name_of(from);
        ::send(connection.get(), text.data(), text.size(), MSG_NOSIGNAL);
      }
      if (polled[2].revents != 0) answer_datagram();
    }
  }
  // From the address that it was sent to, which the message's control part carries there and back.
  void answer_datagram() const {
    sockaddr_in from{};
    std::array<char, 2048> text{};
    alignas(cmsghdr) std::array<char, 256> control{};
    iovec part{text.data(), text.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(udp_.get(), &message, 0) < 0) return;
    part.iov_len = name_of(from).copy(text.data(), text.size());
    auto* info = reinterpret_cast<in_pktinfo*>(CMSG_DATA(CMSG_FIRSTHDR(&message)));
    info->ipi_ifindex = 0;
    info->ipi_spec_dst = info->ipi_addr;
    ::sendmsg(udp_.get(), &message, 0);
  }
  static std::string name_of(const sockaddr_in& address) {
    std::array<char, INET_ADDRSTRLEN> text{};
    return ::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
  }

  UniqueFd stop_, tcp_, udp_;
  std::thread thread_;
};

// While it exists, the calling thread and all that it starts are on the machine.
class TestNetwork {
 public:
  static constexpr const char* kMachine = "203.0.113.2";
  static constexpr const char* kPublic = "198.51.100.7";
  static constexpr const char* kPrivate = "10.20.0.5";
  static constexpr const char* kMetadata = "169.254.169.254";
  static constexpr const char* kAzuresHost = "168.63.129.16";  // public by its number
  static constexpr const char* kNeighbour = "203.0.113.1";     // on the machine's own link

  TestNetwork() : before_(own_network()), internet_(make()), machine_(make()) {
    EXPECT_EQ(::setns(machine_.get(), CLONE_NEWNET), 0);
    auto socket = Netlink::open();
    Netlink here(std::move(*socket));
    EXPECT_TRUE(here.add_veth("wan0", "wan1", internet_.get()));
    EXPECT_TRUE(here.raise("lo", *parse_ipv4("127.0.0.1"), 8));
    EXPECT_TRUE(here.raise("wan0", *parse_ipv4(kMachine), 24));
    {
      const InNetwork there(internet_.get());
      Netlink far(std::move(*Netlink::open()));
      EXPECT_TRUE(far.raise("wan1", *parse_ipv4(kNeighbour), 24));
      for (const char* address : {kPublic, kPrivate, kMetadata, kAzuresHost})
        EXPECT_TRUE(far.raise("wan1", *parse_ipv4(address), 32));
    }
    EXPECT_TRUE(here.add_default_route(*parse_ipv4(kNeighbour)));
    EXPECT_FALSE(forwards());
    on_internet_ = std::make_unique<AddressServer>(internet_.get());
    on_machine_ = std::make_unique<AddressServer>(machine_.get());
  }
  ~TestNetwork() { EXPECT_EQ(::setns(before_.get(), CLONE_NEWNET), 0); }
  TestNetwork(const TestNetwork&) = delete;
  TestNetwork& operator=(const TestNetwork&) = delete;

  // Whether this kernel has what it takes: one that is booted for tests has few modules.
  [[nodiscard]] static Result<void> check() {
    const UniqueFd scratch = make();
    const InNetwork there(scratch.get());
    auto socket = Netlink::open();
    if (!socket) return fail(socket.error());
    if (auto made = Netlink(std::move(*socket)).add_veth("probe0", "probe1", scratch.get()); !made) return made;
    return run_nft(
        nftables_text({.table = "infra_probe", .interface_prefix = "probe", .sandboxes = kDefaultEgressSubnet}));
  }

  [[nodiscard]] int internet() const { return internet_.get(); }
  // The internet's default route, for what the machine should not do.
  void route_through_machine() const {
    const InNetwork there(internet_.get());
    EXPECT_TRUE(Netlink(std::move(*Netlink::open())).add_default_route(*parse_ipv4(kMachine)));
  }
  [[nodiscard]] bool connects_from_internet(const std::string& address, std::chrono::milliseconds patience) const {
    const InNetwork there(internet_.get());
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval wait{.tv_sec = patience.count() / 1000, .tv_usec = patience.count() % 1000 * 1000};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    const auto target = test_address(address, AddressServer::kPort);
    return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) == 0;
  }
  // Another network behind the machine, with one host.
  [[nodiscard]] UniqueFd add_site(const std::string& link, const char* machine, const char* host) const {
    UniqueFd site = make();
    Netlink here(std::move(*Netlink::open()));
    EXPECT_TRUE(here.add_veth(link, "eth0", site.get()));
    EXPECT_TRUE(here.raise(link, *parse_ipv4(machine), 24));
    const InNetwork there(site.get());
    Netlink far(std::move(*Netlink::open()));
    EXPECT_TRUE(far.raise("eth0", *parse_ipv4(host), 24));
    EXPECT_TRUE(far.add_default_route(*parse_ipv4(machine)));
    return site;
  }
  [[nodiscard]] static bool forwards() {
    std::ifstream file("/proc/sys/net/ipv4/ip_forward");
    return file.get() == '1';
  }

 private:
  static UniqueFd make() {
    const UniqueFd before = own_network();
    EXPECT_EQ(::unshare(CLONE_NEWNET), 0);
    std::ofstream("/proc/sys/net/ipv4/ip_forward") << "0";  // new namespaces may inherit the real machine's
    UniqueFd made = own_network();
    EXPECT_EQ(::setns(before.get(), CLONE_NEWNET), 0);
    return made;
  }

  UniqueFd before_, internet_, machine_;
  std::unique_ptr<AddressServer> on_internet_, on_machine_;
};

}  // namespace infra::sandbox
