// Errors as the domain speaks of them. They know nothing of HTTP: http/error_response.cc alone gives them a status.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace infra {

enum class ErrorKind : std::uint8_t {
  invalid,             // what was asked is malformed; the message names the field and what is allowed
  unusable,            // what was asked is well-formed, but what it brings can't be used: code that does not compile
  unauthorized,        // no key, or a wrong one
  not_found,           // no such thing, or it has expired
  method_not_allowed,  // the thing exists, but can't be used this way
  conflict,            // a conditional write lost
  too_large,           // a size limit; the message names it
  unsupported_media,   // a body of another type than the one that is read
  rate_limited,        // `retry_after` says when to come back
  unavailable,         // an engine does not answer, or the program is stopping; `retry_after` may be set
  timeout,             // a deadline passed
  internal             // ours: a bug or a broken disk
};

struct Error {
  ErrorKind kind = ErrorKind::internal;
  std::string code;     // stable, snake_case, for programs: "invalid_memory"
  std::string message;  // one sentence for a person, saying what to do
  std::chrono::seconds retry_after{0};
};

template <typename T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(ErrorKind kind, std::string code, std::string message) {
  return std::unexpected(Error{kind, std::move(code), std::move(message)});
}
[[nodiscard]] inline std::unexpected<Error> fail(Error error) {
  return std::unexpected(std::move(error));
}

}  // namespace infra
