// The address whose budget a request is counted on: the peer, or the entry that the last trusted proxy wrote.
#pragma once

#include <string>
#include <string_view>

namespace infra {

// With `hops` proxies in front, the Nth entry of X-Forwarded-For from the right; the peer itself if hops is 0, or if
// the header is too short or that entry is no address (only a client that went round the proxies sends such a one).
[[nodiscard]] std::string client_address(std::string_view peer, std::string_view forwarded_for, int hops);

// The limiter's key for an address: IPv4 whole (IPv4-mapped IPv6 too), IPv6 by its /64.
[[nodiscard]] std::string rate_key(std::string_view address);

}  // namespace infra
