// AWS Signature Version 4 for requests signed in a header. A pure function of its arguments, so that the published test
// vectors can hold it to every byte.
#pragma once

#include <string>
#include <string_view>

#include "adapters/aws/auth/credentials.h"
#include "core/time.h"
#include "net/http/http_types.h"

namespace infra::aws {

struct RequestToSign {
  std::string_view method;
  std::string_view path;  // as it is sent
  std::string_view query;
  const net::Headers& headers;    // `host` among them
  std::string_view payload_hash;  // sha256_hex() of the body, or what the service takes in place of it
};

struct SigningScope {
  std::string_view region;
  std::string_view service;
  WallTime time;
};

struct SigningRules {
  bool normalize_path = true;      // "/a/./b/../c" and "//a//c" are signed as "/a/c"
  bool encode_path = true;         // what is sent is percent-encoded once more
  bool send_payload_hash = false;  // in x-amz-content-sha256
  bool sign_token = true;          // the session token is sent anyhow
};

// S3 signs the path as it is sent and wants the hash; all others take the defaults.
[[nodiscard]] SigningRules signing_rules(std::string_view service);

struct Signature {
  net::Headers headers;  // to be added to the request
  std::string canonical_request;
  std::string string_to_sign;
  std::string hex;
};

[[nodiscard]] Signature sign(const RequestToSign& request, const Credentials& credentials, const SigningScope& scope,
                             SigningRules rules);

// 64 lower-case hex digits.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

}  // namespace infra::aws
