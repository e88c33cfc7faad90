// A service's refusal: its code and words, out of JSON, headers or XML, and the kind of error that it is to us.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.h"
#include "net/http/http_types.h"

namespace infra::aws {

struct ServiceError {
  std::string name;     // "ConditionalCheckFailedException"; empty if it gave none (HEAD)
  std::string message;  // the first line of what it says, cut to a length for logs; may be empty
};

[[nodiscard]] ServiceError read_service_error(const net::Response& response);

// Why a call got no success, as far as it matters for what to do next.
enum class Cause : std::uint8_t {
  unreachable,          // never sent, so not carried out
  broken,               // 5xx, broken off or late: perhaps carried out
  throttled,            // not carried out
  expired_credentials,  // not carried out; new ones may do
  skewed_clock,         // not carried out; another time may do
  refused               // final
};

[[nodiscard]] Cause cause_of(int status, std::string_view name);

// `service` is its name for messages. Kinds and codes are those in aws_client.h.
[[nodiscard]] Error to_error(std::string_view service, int status, const ServiceError& said, Cause cause);

// Whether a call that failed so was not carried out for sure, as far as the services' common errors say.
[[nodiscard]] bool surely_not_done(const Error& error);

// AWS' own names as codes: those that callers tell apart.
namespace aws_names {

inline constexpr ErrorEntry no_such_bucket{"NoSuchBucket", ErrorKind::not_found, "S3 has no bucket of this name."};
inline constexpr ErrorEntry no_such_upload{"NoSuchUpload", ErrorKind::not_found,
                                           "S3 has ended this upload in parts, or never begun it."};
inline constexpr ErrorEntry wrong_hash{"XAmzContentSHA256Mismatch", ErrorKind::conflict,
                                       "S3 got other bytes than those whose hash was signed."};

}  // namespace aws_names

}  // namespace infra::aws
