// What stands in Redis under a job's key: a pending mark, a result, or where in the bucket a large result is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/ids.h"

namespace infra {

[[nodiscard]] inline std::string job_key(const RequestId& id) {
  return "job:" + id.value;
}

enum class JobKeyText : std::uint8_t { no_result, result, result_of_reference_worker, pointer };

// By its members, none of which is looked into. What can't be read is no result.
[[nodiscard]] JobKeyText kind_of(std::string_view text);

// For a result that the bucket has as results/<id>.json.
[[nodiscard]] std::string pointer_text(const RequestId& id, std::string_view status, std::string_view function);

}  // namespace infra
