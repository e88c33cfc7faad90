// Links, addresses and routes by rtnetlink: the few calls that a sandbox's network takes. A socket speaks of the
// network namespace that it was opened in, wherever its owner is by now.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "sandbox/system/ipv4.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

// To anything but everything: default routes are none.
struct Route {
  Ipv4Range to;
  bool on_link = false;  // no gateway lies before it
};

// Single-threaded. Every call blocks until the kernel has done it.
class Netlink {
 public:
  explicit Netlink(UniqueFd socket) : socket_(std::move(socket)) {}
  [[nodiscard]] static Result<UniqueFd> open();  // in the caller's namespace

  // A veth pair with its other end, called `peer`, in the namespace of that descriptor. One of that name is replaced.
  [[nodiscard]] Result<void> add_veth(const std::string& name, const std::string& peer, int peer_namespace);
  // Gives `name` an address (and no other, of IPv6 least of all) and raises it.
  [[nodiscard]] Result<void> raise(const std::string& name, Ipv4 address, int prefix);
  [[nodiscard]] Result<void> add_default_route(Ipv4 gateway);
  // All of IPv4.
  [[nodiscard]] Result<std::vector<Route>> routes();

 private:
  class Message;
  [[nodiscard]] int exchange(Message& message);  // an errno, or 0
  [[nodiscard]] Result<void> call(Message message, const std::string& step);
  [[nodiscard]] Result<int> index_of(const std::string& name);

  UniqueFd socket_;
  unsigned sequence_ = 0;
};

}  // namespace infra::sandbox
