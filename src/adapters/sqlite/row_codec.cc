#include "adapters/sqlite/row_codec.h"

#include <utility>

namespace infra {

Result<Environment> environment_from_column(std::string_view text) {
  auto env = parse_environment(text);
  if (env) return std::move(*env);
  return fail(ErrorKind::unavailable, "engine_unavailable", "A row of the database holds an unreadable environment.");
}

}  // namespace infra
