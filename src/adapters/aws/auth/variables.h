// Look-up in the environment as the credential sources read it: there, an empty variable is no variable.
#pragma once

#include <string>
#include <string_view>

#include "adapters/aws/auth/credentials.h"

namespace infra::aws {

// Empty if it is not set.
[[nodiscard]] inline std::string variable(const Variables& variables, std::string_view name) {
  const auto found = variables.find(name);
  return found == variables.end() ? std::string() : found->second;
}

}  // namespace infra::aws
