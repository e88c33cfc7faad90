// The rules by which a code bundle (a ZIP) is a function. Pure rules over its directory; reading ZIPs is
// ports/bundle_reader.h.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle_tree.h"
#include "core/error.h"
#include "core/function.h"

namespace infra {

// The entry file of a function that comes compiled.
inline constexpr std::string_view kReadyBinary = "main";

// Where the worker keeps what is its own beside such a function; a bundle's folder of that name is removed.
inline constexpr std::string_view kOwnFolder = ".infra";

// A runtime's entry files at a bundle's root, the first choice first.
[[nodiscard]] std::span<const std::string_view> entry_names(Runtime runtime);

// The bundle's entry file for the runtime: the first of entry_names() that is a file, or a link to one. `invalid` (or
// `too_large`) with a sentence that names the rule and the entry; nothing is extracted before this passes.
[[nodiscard]] Result<std::string> check_bundle(const std::vector<BundleEntry>& entries, Runtime runtime);

}  // namespace infra
