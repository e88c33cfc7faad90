// `infra setup aws`: makes the resources that a fleet stands on, or checks them.
#pragma once

namespace infra {

struct SetupOptions {
  bool check = false;  // nothing is made or changed
  bool json = false;
};

// By the variables of `infra serve`, of which some may be missing: what has no name yet gets the usual one. Gives the
// exit status (cli/failure.h).
[[nodiscard]] int run_setup(const SetupOptions& options);

}  // namespace infra
