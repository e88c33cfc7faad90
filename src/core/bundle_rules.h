// The rules by which a code bundle (a ZIP) is a function. Pure rules over its directory; reading ZIPs is
// ports/bundle_reader.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/bundle_tree.h"
#include "core/error.h"
#include "core/runtime.h"

namespace infra {

// Where the worker keeps what is its own beside such a function; a bundle's folder of that name is removed.
inline constexpr std::string_view kOwnFolder = ".infra";

// The bundle's entry file for the runtime: the first of its entry files that is a file, or a link to one. `invalid` (or
// `too_large`) with a sentence that names the rule and the entry; nothing is extracted before this passes.
[[nodiscard]] Result<std::string> check_bundle(const std::vector<BundleEntry>& entries, Runtime runtime);

}  // namespace infra
