// An object in S3 that is read part by part, as its reader wants it.
#pragma once

#include <string>

#include "adapters/aws/s3/s3_bucket.h"
#include "core/byte_source.h"

namespace infra::aws {

inline constexpr std::size_t kSourcePartBytes = 256 * 1024;  // what one in use holds in memory

// S3 is asked for the object's size first. `not_found`. A read fails if it is replaced or removed meanwhile. The
// bucket's client must outlive the source.
Task<Result<ByteSourcePtr>> open_s3_source(S3Bucket bucket, std::string key);

}  // namespace infra::aws
