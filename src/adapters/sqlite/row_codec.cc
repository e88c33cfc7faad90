#include "adapters/sqlite/row_codec.h"

#include <utility>

#include "core/error_codes.h"

namespace infra {

Result<Environment> environment_from_column(std::string_view text) {
  auto env = parse_environment(text);
  if (env) return std::move(*env);
  return fail(errors::engine_unavailable, "A row of the database holds an unreadable environment.");
}

}  // namespace infra
