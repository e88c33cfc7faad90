// Bundles on this machine's disk, so that each version is fetched from the bucket once: bounded in size, the longest
// unused going first.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/limits.h"
#include "core/mutex.h"
#include "core/time.h"

namespace infra::aws {

struct BundleCacheOptions {
  std::filesystem::path folder;
  std::uint64_t max_bytes = 2048 * limits::kMiB;
};

// Any thread, and all of it may block: call it on the blocking pool. Files are named by the SHA-256 of what is in them
// and outlive the program.
class BundleCache {
 public:
  static constexpr std::chrono::minutes kKept{5};  // what was asked for within it stays, whatever the bound

  // Makes the folder (0700) and removes what is no bundle. Throws std::filesystem::filesystem_error.
  explicit BundleCache(BundleCacheOptions options);

  [[nodiscard]] std::optional<std::filesystem::path> find(const std::string& sha256, SteadyTime now);

  // Takes a finished file of the same file system, whose content has this hash, and makes room for it.
  [[nodiscard]] Result<std::filesystem::path> adopt(const std::string& sha256, const std::filesystem::path& finished,
                                                    std::uint64_t bytes, SteadyTime now);

 private:
  struct Entry {
    std::uint64_t bytes = 0;
    SteadyTime used;
  };
  void forget(std::map<std::string, Entry>::iterator entry) INFRA_REQUIRES(mutex_);
  void evict(SteadyTime now) INFRA_REQUIRES(mutex_);

  const BundleCacheOptions options_;
  Mutex mutex_;
  std::map<std::string, Entry> entries_ INFRA_GUARDED_BY(mutex_);
  std::uint64_t bytes_ INFRA_GUARDED_BY(mutex_) = 0;
};

}  // namespace infra::aws
