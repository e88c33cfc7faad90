// What a code bundle (a ZIP) may hold. Pure rules over its directory; reading ZIPs is ports/bundle_reader.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/function.h"

namespace infra {

enum class EntryType : std::uint8_t { file, directory, symlink, other };

// One line of the directory, as it claims to be.
struct BundleEntry {
  std::string name;  // raw bytes as stored; a directory's ends in '/'
  EntryType type = EntryType::file;
  std::uint64_t packed_bytes = 0;
  std::uint64_t unpacked_bytes = 0;
  bool encrypted = false;
};

// `invalid` (or `too_large`) with a sentence naming the rule and the entry; nothing is extracted before this passes.
[[nodiscard]] Result<void> check_bundle(const std::vector<BundleEntry>& entries, Runtime runtime);

// The entry file of a function that comes compiled.
inline constexpr std::string_view kReadyBinary = "main";

// The bundle's entry file for a runtime, "main.py", or the first of "index.js", "index.mjs" (or of "main.cpp",
// "main") that is there; nullopt if none.
[[nodiscard]] std::optional<std::string> entry_file(const std::vector<BundleEntry>& entries, Runtime runtime);

}  // namespace infra
