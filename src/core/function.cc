#include "core/function.h"

#include "core/error_codes.h"

namespace infra {

Error function_has_no_code() {
  return {errors::function_has_no_code,
          "This function has no code; give it a ZIP with PUT /functions/<functionId>, or remove it with DELETE."};
}

Function apply(Function function, const FunctionChange& change, WallTime now) {
  change.apply_to(function);
  if (change.code) function.code = *change.code;
  if (change.original_name) function.original_name = *change.original_name;
  ++function.version;
  function.updated_at = now;
  return function;
}

}  // namespace infra
