#include "core/bundle_rules.h"

#include <algorithm>

#include "core/bundle_hint.h"
#include "core/error_codes.h"

namespace infra {

Result<std::string> check_bundle(const std::vector<BundleEntry>& entries, Runtime runtime) {
  const auto tree = BundleTree::of(entries);
  if (!tree) return fail(tree.error());
  if (tree->nodes().empty()) return fail(errors::bundle_empty, "The ZIP is empty.");
  const auto names = traits_of(runtime).entry_files;
  const auto is_there = [&](std::string_view name) {
    const auto file = tree->file_at(name);
    return file && !(is_compiled(runtime) && file->starts_with(std::string(kOwnFolder) + "/"));
  };
  const auto found = std::ranges::find_if(names, is_there);
  if (found == names.end()) return fail(errors::bundle_entry_missing, missing_entry_message(*tree, runtime));
  if (is_compiled(runtime) && is_there("main.cpp") && is_there("main.go")) {
    return fail(errors::bundle_entry_ambiguous, "The ZIP has main.cpp and main.go at its root; leave one of them out.");
  }
  return std::string(*found);
}

}  // namespace infra
