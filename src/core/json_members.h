// The members of a JSON object with their raw text: what a client sent as a run's input must reach its function with
// its numbers as they were written, through the API and through the queue.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace infra {

inline constexpr std::size_t kMaxJsonDepth = 64;

struct RawMember {
  std::string name;
  std::string_view text;  // the value's JSON text, inside the document that was given
};

// Checks the whole document (depth at most kMaxJsonDepth) and gives its top-level members in order. `invalid`: code
// invalid_json if it is not JSON or no object, duplicate_field if a name occurs twice.
[[nodiscard]] Result<std::vector<RawMember>> read_members(std::string_view document);

}  // namespace infra
