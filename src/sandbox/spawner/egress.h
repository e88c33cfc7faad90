// The spawner's part in egress: at first need the rules and what else the machine has to have, then an address and a
// name for each sandbox's link. What this finds missing is said in words, and is no reason not to start.
#pragma once

#include <bitset>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/time.h"
#include "sandbox/inside/sandbox_network.h"
#include "sandbox/spawner/egress_rules.h"
#include "sandbox/system/netlink.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

// Single-threaded; only the spawner has one.
class Egress {
 public:
  // Removes what a killed program of the same instance left. `options` must outlive this.
  Egress(const EgressOptions& options, std::string instance);
  ~Egress();
  Egress(const Egress&) = delete;
  Egress& operator=(const Egress&) = delete;

  // Blocks, the first time, for some 20 ms. `engines`: addresses that are blocked beside those of the options. A
  // failure is `unavailable` with the reason, and is tried anew when it is some seconds old.
  [[nodiscard]] Result<void> open(std::span<const Ipv4> engines);
  [[nodiscard]] bool is_open() const { return open_; }
  // A note for the machine's owner once it is open.
  [[nodiscard]] const std::string& note() const { return note_; }

  struct Lease {
    NetworkPlan plan;
    UniqueFd machine;  // for join_network()
    int number = -1;
  };
  // Of one that is open.
  [[nodiscard]] Result<Lease> take();
  void give_back(int number);
  // The machine's links come and go. Does nothing more often than every two seconds, and little where none has changed.
  void follow_links();

 private:
  [[nodiscard]] Result<void> set_up(std::span<const Ipv4> engines);
  [[nodiscard]] Result<void> choose_addresses(const std::vector<Route>& routes);
  [[nodiscard]] std::vector<Ipv4Range> links_of(const std::vector<Route>& routes) const;
  [[nodiscard]] Result<void> forward_packets();
  [[nodiscard]] std::string table() const { return "infra_" + instance_; }
  [[nodiscard]] std::string interface_prefix() const;
  [[nodiscard]] std::string marker() const { return "/run/infra-egress-" + instance_; }
  void remove_rules() const;

  const EgressOptions& options_;
  const std::string instance_;
  bool open_ = false;
  std::optional<Error> failure_;
  SteadyTime failed_at_{};
  std::string note_;
  UniqueFd claim_;  // on `addresses_`
  Ipv4Range addresses_;
  std::vector<Ipv4> resolvers_;
  std::vector<Ipv4Range> links_;
  SteadyTime links_seen_{};
  std::bitset<kMaxEgressSandboxes> taken_;
  int last_ = -1;
};

}  // namespace infra::sandbox
