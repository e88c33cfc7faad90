#include "adapters/aws/s3/bundle_cache.h"

#include <algorithm>
#include <utility>

#include "adapters/system/posix_file.h"
#include "core/sha256.h"

namespace infra::aws {

namespace fs = std::filesystem;

BundleCache::BundleCache(BundleCacheOptions options) : options_(std::move(options)) {
  make_private_folder(options_.folder);
  std::error_code failed;
  for (fs::directory_iterator file(options_.folder, failed), end; !failed && file != end; file.increment(failed)) {
    const std::string name = file->path().filename();
    std::error_code error;
    const auto bytes = is_sha256(name) && file->is_regular_file(error) ? file->file_size(error) : 0;
    if (bytes == 0 || error) {
      fs::remove_all(file->path(), error);
      continue;
    }
    entries_[name] = {.bytes = bytes, .used = SteadyTime::min()};
    bytes_ += bytes;
  }
  if (failed) throw fs::filesystem_error("the folder of bundles can't be read", options_.folder, failed);
}

std::optional<fs::path> BundleCache::find(const std::string& sha256, SteadyTime now) {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(sha256);
  if (found == entries_.end()) return std::nullopt;
  auto path = options_.folder / sha256;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {  // the operator has tidied up
    forget(found);
    return std::nullopt;
  }
  found->second.used = now;
  return path;
}

Result<fs::path> BundleCache::adopt(const std::string& sha256, const fs::path& finished, std::uint64_t bytes,
                                    SteadyTime now) {
  auto path = options_.folder / sha256;
  const MutexLock lock(mutex_);
  if (auto moved = move_durably(finished, path); !moved) return fail(moved.error());
  Entry& entry = entries_[sha256];
  bytes_ += bytes - entry.bytes;
  entry = {.bytes = bytes, .used = now};
  evict(now);
  return path;
}

void BundleCache::forget(std::map<std::string, Entry>::iterator entry) {
  bytes_ -= entry->second.bytes;
  entries_.erase(entry);
}

void BundleCache::evict(SteadyTime now) {
  while (bytes_ > options_.max_bytes) {
    const auto oldest = std::ranges::min_element(entries_, {}, [](const auto& named) { return named.second.used; });
    if (oldest == entries_.end() || oldest->second.used > now - kKept) return;
    std::error_code ignored;  // gone already, or found again at the next start
    fs::remove(options_.folder / oldest->first, ignored);
    forget(oldest);
  }
}

}  // namespace infra::aws
