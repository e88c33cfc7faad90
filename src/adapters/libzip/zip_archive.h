// One open ZIP: libzip's handle with an owner, its directory as our values, its entries as bounded streams of bytes.
#pragma once

#include <zip.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/bundle_tree.h"
#include "core/error.h"

namespace infra {

class ZipArchive {
 public:
  // `invalid` (not_a_zip, or the rule that the directory breaks); nothing is inflated but where links lead.
  [[nodiscard]] static Result<ZipArchive> open(const std::filesystem::path& path);

  [[nodiscard]] const std::vector<BundleEntry>& entries() const { return entries_; }
  // Made on Unix and marked executable there.
  [[nodiscard]] bool is_executable(std::size_t index) const;

  using Sink = std::function<Result<void>(std::span<const char>)>;
  // Inflates one entry into `sink`, piece by piece. `invalid` (code bundle_corrupt) if more or less comes out than the
  // directory claims, or if the checksum is wrong.
  [[nodiscard]] Result<void> read(std::size_t index, const Sink& sink) const;

 private:
  struct Discard {
    void operator()(zip_t* archive) const { zip_discard(archive); }
  };
  using Handle = std::unique_ptr<zip_t, Discard>;
  ZipArchive(Handle handle, std::vector<BundleEntry> entries);
  Result<void> read_targets();

  Handle handle_;
  std::vector<BundleEntry> entries_;
};

}  // namespace infra
