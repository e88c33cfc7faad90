#include "worker/sandbox/host_addresses.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "worker/sandbox/privileges.h"
#include "worker/sandbox/system_error.h"
#include "worker/sandbox/unique_fd.h"

namespace infra::worker {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPatience{2000};
constexpr uid_t kNobody = 65534;

// Exits with 0 when all addresses are in the pipe.
[[noreturn]] void look_up(const std::string& host, int pipe) {
  if (!drop_privileges(Identity{kNobody, kNobody})) ::_exit(1);
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) ::_exit(1);
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    const Ipv4 address = ntohl(reinterpret_cast<const sockaddr_in*>(entry->ai_addr)->sin_addr.s_addr);
    if (::write(pipe, &address, sizeof address) != sizeof address) ::_exit(1);
  }
  ::_exit(0);
}

bool readable_until(int fd, steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
  pollfd polled{fd, POLLIN, 0};
  return ::poll(&polled, 1, static_cast<int>(std::max<std::int64_t>(0, left))) == 1;
}

Result<void> add_addresses(const std::string& host, steady_clock::time_point deadline, std::vector<Ipv4>& addresses) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_failure("pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return system_failure("fork");
  if (child == 0) look_up(host, write_end.get());
  write_end.reset();
  Ipv4 address = 0;
  bool ended = false;
  while (!ended && readable_until(read_end.get(), deadline)) {
    ended = ::read(read_end.get(), &address, sizeof address) != sizeof address;
    if (!ended) addresses.push_back(address);
  }
  if (!ended) ::kill(child, SIGKILL);
  int status = 0;
  if (::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(ErrorKind::unavailable, "unknown_host",
              "the address of " + host + ", which has to be blocked, is not known");
}

}  // namespace

Result<std::vector<Ipv4>> addresses_of(const std::vector<std::string>& hosts) {
  const auto deadline = steady_clock::now() + kPatience;
  std::vector<Ipv4> addresses;
  for (const auto& host : hosts) {
    if (const auto literal = parse_ipv4(host)) {
      addresses.push_back(*literal);
    } else if (host.find(':') == std::string::npos) {  // of IPv6 there is nothing to block
      if (auto added = add_addresses(host, deadline, addresses); !added) return fail(added.error());
    }
  }
  return addresses;
}

}  // namespace infra::worker
