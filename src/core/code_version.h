// A version of a function, by its code: what is suspected and quarantined when its jobs are lost with their worker.
#pragma once

#include <compare>
#include <string>

#include "core/function.h"
#include "core/ids.h"

namespace infra {

struct CodeVersion {
  FunctionId function;
  std::string code;
  auto operator<=>(const CodeVersion&) const = default;
};

// Equal bundles are one version, however often they are uploaded. A row that says no hash has its key.
[[nodiscard]] inline CodeVersion version_of(const FunctionId& function, const CodeRef& code) {
  return {.function = function, .code = code.sha256.empty() ? code.key : code.sha256};
}

}  // namespace infra
