// One bucket, object by object: where it is, how long a call may take, and S3's refusals in the words of the code
// store's port.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "adapters/aws/aws_client.h"

namespace infra::aws {

// Bytes with their SHA-256, which may be known already: empty if not.
struct S3Body {
  std::string bytes{};
  std::string sha256{};
  // In place of `bytes`, read as they go out: so many, whose hash is known.
  std::function<ByteSourcePtr()> open{};
  std::uint64_t size = 0;
};

// Whether a URL's host begins with the bucket's name, so that no path does.
[[nodiscard]] bool is_bucket_host(std::string_view endpoint, std::string_view bucket);

// What a call gives: an answer (2xx, 304), or
//   not_found    no such object (code object_not_found), or no such upload (code NoSuchUpload)
//   unavailable  as AwsClient has it; also a bucket that is not there, which is a wrong setting
//   conflict     a body that was opened was not what its hash or size says (code file_changed)
//   internal     S3 refuses what it was sent (code s3_refused), or a body that was opened can't be read
// Any event thread.
class S3Bucket {
 public:
  // A client whose endpoint begins with the bucket's name ("https://<bucket>.s3.<region>.amazonaws.com") is asked for
  // "/<key>", any other for "/<bucket>/<key>".
  S3Bucket(AwsClient& s3, std::string bucket);

  Task<Result<net::Response>> head();  // of the bucket
  Task<Result<net::Response>> head(std::string key) const;
  Task<Result<net::Response>> put(std::string key, S3Body body, std::string query = "") const;
  Task<Result<net::Response>> remove(std::string key, std::string query = "") const;
  // `expected_bytes` decides how long it may take; at most `max_bytes` come.
  Task<Result<net::Response>> get(std::string key, net::Headers headers, std::uint64_t expected_bytes,
                                  std::uint64_t max_bytes) const;
  // Small XML both ways. S3 may say 200 and then fail: that is an error here too.
  Task<Result<net::Response>> post(std::string key, std::string query, std::string body = "") const;
  // The object anew, as if it had been put now, under a tag ("name=value").
  Task<Result<net::Response>> copy_to_itself(std::string key, std::string tag) const;

 private:
  [[nodiscard]] AwsRequest request(std::string method, std::string_view key, std::string query,
                                   std::uint64_t bytes) const;
  Task<Result<net::Response>> call(AwsRequest request) const;
  Task<Result<net::Response>> call_for_xml(AwsRequest request) const;

  AwsClient& s3_;
  const std::string bucket_;
  const bool virtual_hosted_;
};

}  // namespace infra::aws
