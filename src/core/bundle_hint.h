// The message for a bundle without an entry file: its content instead, and the remedy.
#pragma once

#include <string>

#include "core/bundle_tree.h"
#include "core/runtime.h"

namespace infra {

// For a tree in which no entry file of the runtime was found.
[[nodiscard]] std::string missing_entry_message(const BundleTree& tree, Runtime runtime);

}  // namespace infra
