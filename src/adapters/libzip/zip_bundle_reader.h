// BundleReader on libzip. libzip knows the format; what this adds is distrust: every size and checksum that a directory
// claims is held against what really comes out, and files are made relative to folder descriptors, following no link.
#pragma once

#include "ports/bundle_reader.h"

namespace infra {

class ZipBundleReader final : public BundleReader {
 public:
  [[nodiscard]] Result<std::vector<BundleEntry>> list(const std::filesystem::path& zip) const override;
  [[nodiscard]] Result<void> extract(const std::filesystem::path& zip,
                                     const std::filesystem::path& directory) const override;
  [[nodiscard]] Result<void> verify(const std::filesystem::path& zip) const override;
  [[nodiscard]] Result<std::string> read_start(const std::filesystem::path& zip, std::string_view name,
                                               std::size_t max_bytes) const override;
};

}  // namespace infra
