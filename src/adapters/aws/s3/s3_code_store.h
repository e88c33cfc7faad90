// Code bundles and large payloads in S3. Bundles are fetched once a version and kept on this machine's disk.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "adapters/aws/s3/bundle_cache.h"
#include "adapters/aws/s3/s3_bucket.h"
#include "adapters/system/file_staging.h"
#include "async/single_flight.h"
#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/code_store.h"
#include "ports/executor.h"

namespace infra {

// A retired bundle is not deleted, because jobs in the queue may still name it: it is written anew under the tag
// infra=retired, and the bucket's lifecycle rule deletes it when the queue's retention is over (docs/aws.md).
//
// Memory: an upload and a download each hold one part (aws::kS3PartBytes), however large the bundle is; an object that
// is opened holds a part of kSourcePartBytes, a file that is put a piece of 64 KiB and curl's buffer of as much.
class S3CodeStore final : public CodeStore {
 public:
  // Throws std::filesystem::filesystem_error if the cache's folder can't be made.
  S3CodeStore(aws::AwsClient& s3, std::string bucket, aws::BundleCacheOptions cache, Executor& executor, Clock& clock);

  Task<Result<void>> put_bundle(const CodeRef& code, const std::filesystem::path& staged) override;
  // From the cache without asking S3 where the hash is known; else S3 is asked whether it has another than the one that
  // is kept. `unavailable` (code bundle_corrupt) if what S3 has does not have the hash; `too_large`.
  Task<Result<std::filesystem::path>> fetch_bundle(const CodeRef& code) override;
  Task<Result<void>> retire_bundle(const CodeRef& code) override;
  Task<Result<void>> put_object(const std::string& key, std::string_view bytes) override;
  Task<Result<StoredFile>> put_file(const std::string& key, int file, std::uint64_t max_bytes) override;
  Task<Result<std::string>> get_object(const std::string& key) override;
  Task<Result<ByteSourcePtr>> open_object(const std::string& key) override;
  Task<Result<void>> remove_object(const std::string& key) override;

 private:
  // The hash and ETag of a key without a known hash, as of its last fetch.
  struct Seen {
    std::string etag;
    std::string sha256;
  };

  Task<Result<std::filesystem::path>> fetch_known(CodeRef code);
  Task<Result<std::filesystem::path>> fetch_unknown(std::string key);
  // The ETag of what has been written to `into`; nullopt if it is `etag` still.
  Task<Result<std::optional<std::string>>> download(std::string key, std::string etag, StagedFile& into);
  Task<std::optional<std::filesystem::path>> find_kept(std::string sha256);
  Task<Result<std::filesystem::path>> keep(std::string sha256, const StagedFile& bundle);
  [[nodiscard]] Seen seen_at(const std::string& key);
  void remember(const std::string& key, Seen seen);

  const aws::S3Bucket bucket_;
  aws::BundleCache cache_;
  FileStaging staging_;
  SingleFlight<std::filesystem::path> fetches_;
  Executor& executor_;
  Clock& clock_;
  Mutex mutex_;
  std::map<std::string, Seen> seen_ INFRA_GUARDED_BY(mutex_);  // by key
};

}  // namespace infra
