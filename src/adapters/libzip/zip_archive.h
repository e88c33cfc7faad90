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

#include "core/bundle_rules.h"
#include "core/error.h"

namespace infra {

// What is let out of one archive in all, however many entries it comes from.
class UnpackBudget {
 public:
  // False once more than limits::kMaxUnpackedBytes have been taken.
  [[nodiscard]] bool take(std::uint64_t bytes);

 private:
  std::uint64_t taken_ = 0;
};

class ZipArchive {
 public:
  // `invalid` (not_a_zip, or the rule that the directory breaks); nothing is inflated.
  [[nodiscard]] static Result<ZipArchive> open(const std::filesystem::path& path);

  [[nodiscard]] const std::vector<BundleEntry>& entries() const { return entries_; }
  // Made on Unix and marked executable there.
  [[nodiscard]] bool is_executable(std::size_t index) const;

  using Sink = std::function<Result<void>(std::span<const char>)>;
  // Inflates one entry into `sink`, piece by piece. `invalid` (code bundle_corrupt) if more or less comes out than the
  // directory claims, or if the checksum is wrong; `too_large` when the budget is spent.
  [[nodiscard]] Result<void> read(std::size_t index, UnpackBudget& budget, const Sink& sink) const;

 private:
  struct Discard {
    void operator()(zip_t* archive) const { zip_discard(archive); }
  };
  using Handle = std::unique_ptr<zip_t, Discard>;
  ZipArchive(Handle handle, std::vector<BundleEntry> entries);

  Handle handle_;
  std::vector<BundleEntry> entries_;
};

}  // namespace infra
