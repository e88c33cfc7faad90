// A file's way into the bucket: in one request while it is small, in parts when it is not, never whole in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "adapters/aws/s3/s3_bucket.h"
#include "core/limits.h"
#include "ports/executor.h"

namespace infra::aws {

// The least that S3 takes for a part. One part is in memory at a time, and once, whatever an upload's size.
inline constexpr std::uint64_t kS3PartBytes = 5 * limits::kMiB;

// `file` as the object `key`, replacing it; seen whole or not at all. After an error nothing of it is left, unless S3
// could not be told: the bucket's rule for unfinished uploads finds that.
Task<Result<void>> upload_file(const S3Bucket& bucket, Executor& executor, std::string key, std::filesystem::path file);

}  // namespace infra::aws
