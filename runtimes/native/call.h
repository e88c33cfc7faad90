// A call as docs/runner-protocol.md has it, as far as a plain program needs it. The worker wrote it, so it is
// well-formed; what is not is only kept from being read beyond its end.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace infra::native {

struct Call {
  std::string request_id;
  std::vector<std::string> env;  // "NAME=value"
  std::string_view input;        // as it was written; points into the frame
};

// Nullopt if `frame` is no call.
std::optional<Call> read_call(std::string_view frame);

// With quotes, as JSON.
std::string quoted(std::string_view text);

}  // namespace infra::native
