// The dashboard's files, which are part of the program: src/web is bundled at build time (tools/web_assets.py).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace infra::web {

struct Asset {
  std::string_view name;      // "index.html"; below /assets all others have a hash of what is in them in their names
  std::string_view type;      // Content-Type
  std::string_view etag;      // with its quotes
  std::string_view encoding;  // Content-Encoding: "gzip", or empty
  std::string_view content;
  bool immutable = false;  // its name changes with its content
};

// For as long as the program runs.
[[nodiscard]] std::span<const Asset> assets();

}  // namespace infra::web
