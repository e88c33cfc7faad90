// Errors as the domain speaks of them. They know nothing of HTTP: http/error_response.cc alone gives them a status.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace infra {

enum class ErrorKind : std::uint8_t {
  invalid,             // what was asked is malformed; the message names the field and what is allowed
  unusable,            // what was asked is well-formed, but what it brings can't be used: code that does not compile
  unauthorized,        // no key, or a wrong one
  forbidden,           // a key that is right, and may not do this
  not_found,           // no such thing, or it has expired
  method_not_allowed,  // the thing exists, but can't be used this way
  conflict,            // a conditional write lost
  too_large,           // a size limit; the message names it
  unsupported_media,   // a body of another type than the one that is read
  rate_limited,        // `retry_after` says when to come back
  unavailable,         // an engine does not answer, or the program is stopping; `retry_after` may be set
  timeout,             // a deadline passed
  not_set_up,          // the operator has not set up what it takes; the message says how
  internal             // ours: a bug or a broken disk
};

// Where a client can meet an error's code.
enum SeenIn : std::uint8_t {
  kNowhere = 0,
  kAnswer = 1,    // in an answer, whose status follows from the kind
  kFailed = 2,    // in a run's result: FAILED,
  kTimedOut = 4,  // TIMEOUT,
  kError = 8      // or ERROR
};

// A row of core/error_codes.h: nothing else makes an Error.
struct ErrorEntry {
  constexpr ErrorEntry(std::string_view c, ErrorKind k, int places, std::string_view w, std::string_view r)
      : code(c), kind(k), seen_in(static_cast<std::uint8_t>(places)), when(w), remedy(r) {}
  constexpr ErrorEntry(std::string_view c, ErrorKind k, std::string_view w) : ErrorEntry(c, k, kNowhere, w, {}) {}

  // The same code where the caller acts on another kind.
  [[nodiscard]] constexpr ErrorEntry as(ErrorKind other) const { return {code, other, seen_in, when, remedy}; }

  std::string_view code;  // stable, snake_case, for programs
  ErrorKind kind;
  std::uint8_t seen_in;     // of SeenIn
  std::string_view when;    // it happens
  std::string_view remedy;  // what to do
};

// Codes are compared with rows, also those that come from other programs: no text stands in a condition.
[[nodiscard]] constexpr bool operator==(std::string_view code, const ErrorEntry& entry) {
  return code == entry.code;
}

struct Error {
  Error() = default;  // of a variable that an error is put into later
  Error(const ErrorEntry& entry, std::string sentence, std::chrono::seconds retry = {})
      : kind(entry.kind), code(entry.code), message(std::move(sentence)), retry_after(retry) {}

  ErrorKind kind = ErrorKind::internal;
  std::string code;
  std::string message;  // one sentence for a person, saying what to do
  std::chrono::seconds retry_after{0};
};

template <typename T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(const ErrorEntry& entry, std::string message) {
  return std::unexpected(Error{entry, std::move(message)});
}
[[nodiscard]] inline std::unexpected<Error> fail(Error error) {
  return std::unexpected(std::move(error));
}

}  // namespace infra
