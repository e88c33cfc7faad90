#include "sandbox/client/host_addresses.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <memory>

#include "core/operator_error_codes.h"

namespace infra::sandbox {
namespace {

Result<void> add_addresses(const std::string& host, std::vector<Ipv4>& addresses) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;  // else each address comes once for every kind
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) {
    return fail(errors::unknown_host, "the address of " + host + ", which has to be blocked, can't be looked up");
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family != AF_INET) continue;  // of IPv6 there is nothing to block
    const Ipv4 address = ntohl(reinterpret_cast<const sockaddr_in*>(entry->ai_addr)->sin_addr.s_addr);
    if (address != 0) addresses.push_back(address);
  }
  return {};
}

}  // namespace

Result<std::vector<Ipv4>> addresses_of(const std::vector<std::string>& hosts) {
  std::vector<Ipv4> addresses;
  for (const auto& host : hosts) {
    if (auto added = add_addresses(host, addresses); !added) return fail(added.error());
  }
  return addresses;
}

}  // namespace infra::sandbox
