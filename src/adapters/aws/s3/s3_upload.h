// A file's way into the bucket: a bundle in one request while it is small, in parts when it is not; an output file as
// it is read. Never whole in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "adapters/aws/s3/s3_bucket.h"
#include "core/limits.h"
#include "ports/code_store.h"
#include "ports/executor.h"

namespace infra::aws {

// The least that S3 takes for a part. One part is in memory at a time, and once, whatever an upload's size.
inline constexpr std::uint64_t kS3PartBytes = 5 * limits::kMiB;

// `file` as the object `key`, replacing it; seen whole or not at all. After an error nothing of it is left, unless S3
// could not be told: the bucket's rule for unfinished uploads finds that.
Task<Result<void>> upload_file(const S3Bucket& bucket, Executor& executor, std::string key, std::filesystem::path file);

// CodeStore::put_file(). An open file in one request, read twice: for its hash, which S3 wants first and holds the
// bytes against, and as it is sent.
Task<Result<StoredFile>> upload_open_file(const S3Bucket& bucket, Executor& executor, std::string key, int file,
                                          std::uint64_t max_bytes);

}  // namespace infra::aws
