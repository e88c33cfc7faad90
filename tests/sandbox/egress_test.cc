// Functions with and without egress on a machine with an internet of its own: what they reach, what they don't, what
// they count and what is left of them.
#include "sandbox/spawner/egress.h"

#include <net/if.h>

#include "sandbox/system/nftables.h"
#include "sandbox/test_network.h"
#include "sandbox/test_sandbox.h"

namespace infra::sandbox {
namespace {

// `tcp` and `udp` give what AddressServer said, or the exception.
constexpr const char* kTools = R"(
def ask(kind, address, port):
    s = socket.socket(socket.AF_INET, kind)
    s.settimeout(2 if kind == socket.SOCK_STREAM else 1)
    s.connect((address, port))
    if kind == socket.SOCK_DGRAM: s.send(b'?')
    return s.recv(100).decode()
def attempt(*arguments):
    try: return ask(*arguments)
    except OSError as e: return type(e).__name__ + ' ' + str(e.errno)
def tcp(address, port=7007): return attempt(socket.SOCK_STREAM, address, port)
def udp(address, port=7007): return attempt(socket.SOCK_DGRAM, address, port)
)";

constexpr const char* kOwnAddress = R"(
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(('198.51.100.7', 7007))
out = s.getsockname()[0]
)";

class EgressTest : public SandboxTest {
 protected:
  void SetUp() override {
    if (auto possible = check_isolation(); !possible) GTEST_SKIP() << possible.error().message;
    if (find_nft().empty()) GTEST_SKIP() << "nft is not installed";
    if (auto possible = TestNetwork::check(); !possible) GTEST_SKIP() << possible.error().message;
    network_ = std::make_unique<TestNetwork>();
  }
  void TearDown() override { launcher_.reset(); }
  void start_with_egress(const EgressOptions& egress = {}) {
    SpawnerOptions options = folder_.options(8);
    options.egress = egress;
    start_with(options);
  }
  std::unique_ptr<Sandbox> launch_with(bool egress) {
    auto sandbox = launcher_->launch({.runtime = Runtime::python, .version = version('a'), .egress = egress});
    if (!sandbox) {
      ADD_FAILURE() << sandbox.error().message;
      return nullptr;
    }
    EXPECT_EQ(read_exactly((*sandbox)->handles().control, 1), "R");
    EXPECT_EQ(run(**sandbox, kTools), "");
    return std::move(*sandbox);
  }
  // The machine's links of sandboxes.
  static std::set<std::string> links() {
    std::set<std::string> found;
    auto* const all = ::if_nameindex();
    for (const auto* entry = all; entry->if_index != 0; ++entry) {
      if (std::string_view(entry->if_name).starts_with(kEgressInterfaces)) found.emplace(entry->if_name);
    }
    ::if_freenameindex(all);
    return found;
  }
  [[nodiscard]] std::string table() const {
    return "infra_" + instance_name(fs::canonical(folder_.path() / "versions"));
  }
  [[nodiscard]] bool has_rules() const { return run_nft("list table inet " + table()).has_value(); }

  std::unique_ptr<TestNetwork> network_;
};

constexpr const char* kRefused = "ConnectionRefusedError 111";
constexpr const char* kNoNetwork = "OSError 101";

// The kernel sends only so many ICMP messages a second (here: host unreachable).
bool is_no_answer(const std::string& said) {
  return said == kRefused || said == "OSError 113" || said == "TimeoutError None";
}

TEST_F(EgressTest, ReachesPublicAddressesInTheMachinesName) {
  start_with_egress();
  auto sandbox = launch_with(true);
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "out = tcp('198.51.100.7')"), TestNetwork::kMachine);
  EXPECT_EQ(run(*sandbox, "out = udp('198.51.100.7')"), TestNetwork::kMachine);
}

TEST_F(EgressTest, ForkedRunnersHaveItToo) {
  if (std::string_view(INFRA_ZYGOTE).empty()) GTEST_SKIP() << "a build with sanitizers has no library for it";
  fs::copy_file(fs::path(INFRA_RUNTIMES) / "python/zygote.py", folder_.path() / "runners/python/zygote.py");
  SpawnerOptions options = folder_.options(8);
  options.zygote_library = INFRA_ZYGOTE;
  start_with(options);
  std::unique_ptr<Sandbox> sandbox;
  ASSERT_TRUE(eventually([&] {
    sandbox = launch_with(true);
    return run(*sandbox, "out = 'zygote.py' in open('/proc/self/cmdline').read()") == "True";
  }));
  EXPECT_EQ(run(*sandbox, "out = tcp('198.51.100.7')"), TestNetwork::kMachine);
  EXPECT_EQ(run(*sandbox, "out = tcp('169.254.169.254')"), kRefused);
  EXPECT_EQ(run(*sandbox, "out = sorted(os.listdir('/proc/self/fd'))"),
            "['0', '1', '2', '3', '60']");  // 3: the listing
  EXPECT_GT(sandbox->usage().network_tx, 0);
  auto without = launch_with(false);
  ASSERT_TRUE(without);
  EXPECT_EQ(run(*without, "out = tcp('198.51.100.7')"), kNoNetwork);
}

TEST_F(EgressTest, WithoutItThereIsNothing) {
  start_with_egress();
  auto with = launch_with(true);
  auto without = launch_with(false);
  ASSERT_TRUE(with && without);
  for (const char* address : {TestNetwork::kPublic, TestNetwork::kMachine, TestNetwork::kPrivate}) {
    EXPECT_EQ(run(*without, std::string("out = tcp('") + address + "')"), kNoNetwork) << address;
    EXPECT_EQ(run(*without, std::string("out = udp('") + address + "')"), kNoNetwork) << address;
  }
  EXPECT_EQ(run(*without, "out = open('/proc/self/net/dev').read().count(':')"), "1") << "lo alone";
  EXPECT_EQ(without->usage().network_rx, 0);
}

TEST_F(EgressTest, WhatIsNotPublicIsBlocked) {
  start_with_egress();
  auto sandbox = launch_with(true);
  auto other = launch_with(true);
  ASSERT_TRUE(sandbox && other);
  const std::string gateway = "open('/proc/self/net/route').read().split()[13]";
  const std::string to_machine =
      run(*sandbox, "out = socket.inet_ntoa(int(" + gateway + ", 16).to_bytes(4, 'little'))");
  const std::string to_other = run(*other, kOwnAddress);
  run(*other, "server = socket.create_server(('0.0.0.0', 7007))");
  ASSERT_TRUE(to_machine.starts_with("198.18.") || to_machine.starts_with("198.19.")) << to_machine;
  ASSERT_TRUE(to_other.starts_with("198.18.") || to_other.starts_with("198.19.")) << to_other;
  for (const std::string& address :
       {std::string(TestNetwork::kPrivate), std::string(TestNetwork::kMetadata), std::string(TestNetwork::kAzuresHost),
        std::string(TestNetwork::kMachine), std::string(TestNetwork::kNeighbour), to_machine, to_other}) {
    EXPECT_EQ(run(*sandbox, "out = tcp('" + address + "')"), kRefused) << address;
    const std::string datagram = run(*sandbox, "out = udp('" + address + "')");
    EXPECT_TRUE(is_no_answer(datagram)) << address << " " << datagram;
  }
  EXPECT_EQ(run(*sandbox, "out = tcp('127.0.0.1')"), "ConnectionRefusedError 111") << "its own loopback";
}

TEST_F(EgressTest, ALinkThatTheMachineGetsLaterIsBlockedToo) {
  start_with_egress();
  auto sandbox = launch_with(true);
  ASSERT_TRUE(sandbox);
  const UniqueFd site = network_->add_site("lan0", "192.0.2.1", "192.0.2.9");
  const AddressServer server(site.get());
  EXPECT_TRUE(eventually([&] {
    auto another = launch_with(true);  // the links are looked at when a sandbox is made
    return another && run(*another, "out = tcp('192.0.2.9')") == kRefused;
  }));
  EXPECT_EQ(run(*sandbox, "out = tcp('192.0.2.9')"), kRefused) << "for those that are there, too";
  EXPECT_EQ(run(*sandbox, "out = tcp('198.51.100.7')"), TestNetwork::kMachine);
}

TEST_F(EgressTest, TheNetworkCannotBeChangedFromInside) {
  start_with_egress();
  auto sandbox = launch_with(true);
  ASSERT_TRUE(sandbox);
  for (const char* attempt : {
           "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
           "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
           "socket.socket().setsockopt(socket.SOL_SOCKET, 36, 1)",  // SO_MARK
           "socket.socket().setsockopt(socket.SOL_IP, 19, 1)",      // IP_TRANSPARENT
           "open('/proc/sys/net/ipv4/ip_forward', 'w')",
           "import fcntl; fcntl.ioctl(socket.socket(), 0x8914, b'eth0' + bytes(36))",  // SIOCSIFFLAGS
       }) {
    const std::string said = run(*sandbox, attempt);
    EXPECT_NE(said.find("Error"), std::string::npos) << attempt << ": " << said;
  }
}

// A source route would name another destination than the rules see: the kernel may refuse it, and what has any option
// at all goes nowhere.
TEST_F(EgressTest, PacketsWithOptionsGoNowhere) {
  start_with_egress();
  auto sandbox = launch_with(true);
  ASSERT_TRUE(sandbox);
  run(*sandbox, R"(
def send_with(options):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.5)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, options)
    s.sendto(b'?', ('198.51.100.7', 7007))
    return s.recv(100)
)");
  EXPECT_EQ(run(*sandbox, "out = send_with(b'')"), "b'203.0.113.2'");
  EXPECT_EQ(run(*sandbox, "out = send_with(bytes([7, 7, 4, 0, 0, 0, 0, 0]))"), "TimeoutError: timed out");
  const std::string routed = run(*sandbox, "out = send_with(bytes([131, 7, 4, 10, 20, 0, 5, 0]))");
  EXPECT_TRUE(routed == "TimeoutError: timed out" || routed.starts_with("PermissionError")) << routed;
}

TEST_F(EgressTest, OneCannotFillTheMachinesTableOfFlows) {
  start_with_egress();
  auto greedy = launch_with(true);
  auto other = launch_with(true);
  ASSERT_TRUE(greedy && other);
  const std::string many = R"(
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out = 0
for port in range(10000, 11200):
    try: s.sendto(b'?', ('198.51.100.7', port))
    except OSError: pass  # an answer to an earlier one
)";
  EXPECT_EQ(run(*greedy, many), "0");
  EXPECT_EQ(run(*greedy, "out = tcp('198.51.100.7')"), kRefused);
  EXPECT_EQ(run(*other, "out = tcp('198.51.100.7')"), TestNetwork::kMachine);
}

TEST_F(EgressTest, ThereIsNoIpv6) {
  start_with_egress();
  auto sandbox = launch_with(true);
  ASSERT_TRUE(sandbox);
  const std::string addresses = run(*sandbox,
                                    "p = '/proc/self/net/if_inet6'\nout = [line.split()[-1] for line in open(p)] if "
                                    "os.path.exists(p) else ['lo']");
  EXPECT_EQ(addresses, "['lo']");
  for (const std::string& link : links()) {
    std::ifstream file("/proc/self/net/if_inet6");
    const std::string here{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(here.find(link), std::string::npos) << here;
  }
}

TEST_F(EgressTest, AllowedIsOpenInSpiteOfBeingPrivate) {
  const AddressServer second(network_->internet(), 7008);
  start_with_egress({.allow = {*parse_egress_opening("10.20.0.0/16:7008"), *parse_egress_opening("203.0.113.2:7007")}});
  auto sandbox = launch_with(true);
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "out = tcp('10.20.0.5', 7008)"), TestNetwork::kMachine);
  EXPECT_EQ(run(*sandbox, "out = udp('10.20.0.5', 7008)"), TestNetwork::kMachine);
  EXPECT_EQ(run(*sandbox, "out = tcp('10.20.0.5', 7007)"), kRefused);
  EXPECT_NE(run(*sandbox, "out = tcp('203.0.113.2', 7007)").find("198.1"), std::string::npos)
      << "a service of the machine's own, which sees the sandbox's address";
}

TEST_F(EgressTest, BlockedIsClosedInSpiteOfBeingPublic) {
  start_with_egress(
      {.block = {*parse_ipv4_range("198.51.100.0/24")}, .block_hosts = {"203.0.113.1", "localhost", "::1"}});
  auto sandbox = launch_with(true);
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "out = tcp('198.51.100.7')"), kRefused);
  EXPECT_EQ(run(*sandbox, "out = tcp('203.0.113.1')"), kRefused);
}

TEST_F(EgressTest, AnEngineOfUnknownAddressKeepsItShut) {
  start_with_egress({.block_hosts = {"localhost", "no such name"}});
  const auto opened = launcher_->open_egress();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "egress_unavailable");
  EXPECT_NE(opened.error().message.find("no such name"), std::string::npos) << opened.error().message;
  EXPECT_FALSE(has_rules());
}

TEST_F(EgressTest, TheResolversAreReachableForNothingElse) {
  const AddressServer resolver(network_->internet(), 53);
  start_with_egress({.resolvers = {*parse_ipv4("10.20.0.5")}});
  auto sandbox = launch_with(true);
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "out = open('/etc/resolv.conf').read()"), "nameserver 10.20.0.5\n");
  EXPECT_EQ(run(*sandbox, "out = udp('10.20.0.5', 53)"), TestNetwork::kMachine);
  EXPECT_EQ(run(*sandbox, "out = tcp('10.20.0.5', 53)"), TestNetwork::kMachine);
  EXPECT_EQ(run(*sandbox, "out = tcp('10.20.0.5', 7007)"), kRefused);
  EXPECT_TRUE(is_no_answer(run(*sandbox, "out = udp('169.254.169.254', 53)")));
}

TEST_F(EgressTest, BytesAreCounted) {
  start_with_egress();
  auto sandbox = launch_with(true);
  ASSERT_TRUE(sandbox);
  const auto before = sandbox->usage();
  EXPECT_EQ(run(*sandbox,
                "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                "for i in range(10): s.sendto(bytes(1000), ('198.51.100.7', 7007)); s.recv(100)"),
            "");
  const auto after = sandbox->usage();
  EXPECT_GE(after.network_tx - before.network_tx, 10'000);
  EXPECT_LT(after.network_tx - before.network_tx, 12'000);
  EXPECT_GE(after.network_rx - before.network_rx, 10 * 11);
  EXPECT_LT(after.network_rx - before.network_rx, 2'000);
  sandbox->kill();
  (void)sandbox->wait(milliseconds(0));
  EXPECT_EQ(sandbox->usage().network_tx, after.network_tx) << "what it used is known after its end";
}

// A host beyond makes the machine its router: to a sandbox, and to a network behind the machine. That it would get
// there without the rules is tried at the end.
TEST_F(EgressTest, WhatIsNoFunctionsIsNotForwarded) {
  const UniqueFd behind = network_->add_site("lan0", "10.77.0.1", "10.77.0.2");
  const AddressServer server(behind.get());
  start_with_egress();
  ASSERT_FALSE(TestNetwork::forwards()) << "nothing is changed before a function asks";
  ASSERT_TRUE(links().empty());
  auto sandbox = launch_with(true);
  ASSERT_TRUE(sandbox);
  ASSERT_TRUE(TestNetwork::forwards());
  const std::string inside = run(*sandbox, kOwnAddress);
  run(*sandbox, "server = socket.create_server(('0.0.0.0', 7007))");
  network_->route_through_machine();
  for (const std::string& address : {inside, std::string("10.77.0.2")}) {
    EXPECT_FALSE(network_->connects_from_internet(address, milliseconds(300))) << address;
  }
  ASSERT_TRUE(run_nft("delete table ip infra_forwarding\ndelete table inet " + table()));
  for (const std::string& address : {inside, std::string("10.77.0.2")}) {
    EXPECT_TRUE(network_->connects_from_internet(address, patience(milliseconds(5000)))) << address;
  }
}

TEST_F(EgressTest, NothingIsLeftOfASandboxOrOfTheProgram) {
  start_with_egress();
  auto sandbox = launch_with(true);
  ASSERT_TRUE(sandbox);
  EXPECT_FALSE(links().empty());
  EXPECT_TRUE(has_rules());
  sandbox.reset();
  launcher_.reset();
  EXPECT_FALSE(has_rules());
  EXPECT_TRUE(eventually([] { return links().empty(); }));
}

TEST_F(EgressTest, TheRulesOfAKilledProgramGoAtTheNextStart) {
  start_with_egress();
  auto sandbox = launch_with(true);
  ASSERT_TRUE(sandbox);
  ::kill(spawner_pid_, SIGKILL);
  sandbox.reset();
  launcher_.reset();
  EXPECT_TRUE(has_rules());
  EXPECT_TRUE(eventually([] { return links().empty(); }));
  start_with_egress();
  EXPECT_TRUE(eventually([&] { return !has_rules(); })) << "it sweeps when it is ready";
}

TEST_F(EgressTest, TwoProgramsHaveAddressesOfTheirOwn) {
  start_with_egress();
  auto first = launch_with(true);
  const Folder other;
  auto handle = start_spawner(other.options(4));
  ASSERT_TRUE(handle);
  SandboxLauncher second(std::move(*handle));
  ASSERT_TRUE(second.open_egress());
  auto neighbour = second.launch({.runtime = Runtime::python, .version = version('a'), .egress = true});
  ASSERT_TRUE(first && neighbour);
  ASSERT_EQ(read_exactly((*neighbour)->handles().control, 1), "R");
  run(**neighbour, kTools);
  const std::string theirs = run(**neighbour, kOwnAddress);
  EXPECT_NE(run(*first, kOwnAddress), theirs);
  EXPECT_EQ(run(**neighbour, "server = socket.create_server(('0.0.0.0', 7007)); out = tcp('198.51.100.7')"),
            TestNetwork::kMachine);
  EXPECT_TRUE(is_no_answer(run(*first, "out = tcp('" + theirs + "')")));
}

TEST_F(EgressTest, AMachineThatCannotSaysWhy) {
  start_with_egress({.subnet = *parse_ipv4_range("203.0.112.0/20")});  // the machine's own
  const auto opened = launcher_->open_egress();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "egress_unavailable");
  EXPECT_NE(opened.error().message.find("INFRA_EGRESS_SUBNET"), std::string::npos) << opened.error().message;
  const auto refused = launcher_->launch({.runtime = Runtime::python, .version = version('a'), .egress = true});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "egress_unavailable");
  EXPECT_EQ(refused.error().kind, ErrorKind::unusable);
  EXPECT_TRUE(launch_with(false)) << "all others run";
  EXPECT_FALSE(TestNetwork::forwards());
}

}  // namespace
}  // namespace infra::sandbox
