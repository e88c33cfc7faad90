// What to say of a bundle without an entry file: what is there instead, and what to do about it.
#pragma once

#include <string>

#include "core/bundle_tree.h"
#include "core/function.h"

namespace infra {

// For a tree in which no entry file of the runtime was found.
[[nodiscard]] std::string missing_entry_message(const BundleTree& tree, Runtime runtime);

}  // namespace infra
