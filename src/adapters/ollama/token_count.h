// How many tokens a node's answer says it used.
#pragma once

#include <cstdint>
#include <string_view>

namespace infra {

// prompt_eval_count + eval_count of one JSON object, or of the last line of NDJSON; 0 where they are missing.
[[nodiscard]] std::int64_t count_tokens(std::string_view answer);

}  // namespace infra
