// Looks into ZIPs and unpacks them. Blocking: call it on the blocking pool.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle_tree.h"
#include "core/error.h"

namespace infra {

// Thread-safe: it keeps no state.
class BundleReader {
 public:
  virtual ~BundleReader() = default;

  // The central directory as it claims to be, names in UTF-8 (CP437 where nothing else is said or found), links with
  // what they lead to. `invalid` (code not_a_zip) if the file is none, is cut off, or its parts disagree; what stands
  // in front of the archive or behind it is passed over.
  [[nodiscard]] virtual Result<std::vector<BundleEntry>> list(const std::filesystem::path& zip) const = 0;

  // Unpacks what BundleTree makes of list() into `directory` (new, created by this call; files 0644, or 0755 where the
  // ZIP says executable, folders 0755, links as they are), or refuses as it does. Sizes are enforced again on what
  // really comes out, checksums are verified. On an error the directory is gone.
  [[nodiscard]] virtual Result<void> extract(const std::filesystem::path& zip,
                                             const std::filesystem::path& directory) const = 0;

  // Reads all that extract() would write and throws the bytes away: sizes and checksums are true. What upload does
  // before it accepts.
  [[nodiscard]] virtual Result<void> verify(const std::filesystem::path& zip) const = 0;

  // The first `max_bytes` of the file at this path, or all of it if it is shorter; links are followed. `not_found`.
  [[nodiscard]] virtual Result<std::string> read_start(const std::filesystem::path& zip, std::string_view name,
                                                       std::size_t max_bytes) const = 0;
};

}  // namespace infra
