// A start and a call as docs/runner-protocol.md has them, as far as a plain program needs them. The worker wrote them,
// so they are well-formed; what is not is only kept from being read beyond its end.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace infra::native {

using Environment = std::vector<std::string>;  // "NAME=value"

struct Call {
  std::string request_id;
  Environment env;
  std::string_view input;  // as it was written; points into the frame
};

// Nullopt if `frame` is no call.
std::optional<Call> read_call(std::string_view frame);

// What the function's process begins with. Nullopt if `frame` is no start.
std::optional<Environment> read_start(std::string_view frame);

// With quotes, as JSON.
std::string quoted(std::string_view text);

}  // namespace infra::native
