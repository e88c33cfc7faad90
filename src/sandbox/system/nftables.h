// Loads rules with Debian's `nft`. A program of its own and not its library: the machine may lack it, and then only
// egress is missing.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"

namespace infra::sandbox {

// Empty if it is not installed.
[[nodiscard]] std::string find_nft();

// Blocks for some 10 ms, a few seconds at most. All of it takes effect at once, or nothing. Fails with nft's own words.
[[nodiscard]] Result<void> run_nft(std::string_view rules);

}  // namespace infra::sandbox
