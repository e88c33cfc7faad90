// How a command ends: its exit status, and where it was no success whose fault that was and what to do next.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace infra::cli {

// The program's exit status, by which a script tells whose fault a failure was; docs/cli.md has the table.
enum class Exit : std::uint8_t {
  ok = 0,
  function_failed = 1,  // FAILED, TIMEOUT, or source that does not compile
  usage = 2,            // a command, option, file or setting that can't be meant
  refused = 3,          // the platform understood and said no: a wrong key, no such function, a limit
  platform_failed = 4,  // ERROR, or a 5xx
  unreachable = 5       // nobody answered
};

struct Failure {
  Exit exit = Exit::usage;
  std::string message{};     // a sentence, or a compiler's words
  std::string next{};        // what to do; empty: the message says it
  std::string code{};        // the API's
  std::string request_id{};  // empty: no request was answered
  std::string stderr_end{};  // of the function
};

template <typename T>
using Outcome = std::expected<T, Failure>;

[[nodiscard]] inline std::unexpected<Failure> failed(Failure failure) {
  return std::unexpected(std::move(failure));
}
// What was typed, or stands in a file, can't be meant.
[[nodiscard]] inline std::unexpected<Failure> wrong_usage(std::string message, std::string next = {}) {
  return failed({.exit = Exit::usage, .message = std::move(message), .next = std::move(next)});
}

// function, command, request, platform or connection: whose doing it was.
[[nodiscard]] std::string_view fault_of(Exit exit);

}  // namespace infra::cli
