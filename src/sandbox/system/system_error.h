// Turns errno into the room's Error, with the step that failed in words.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/error_codes.h"
#include "core/system_errors.h"

namespace infra::sandbox {

[[nodiscard]] inline std::unexpected<Error> system_failure(std::string_view step, int error = errno) {
  return fail(is_out_of_descriptors(error) ? errors::no_descriptors : errors::sandbox_failed,
              std::string(step) + ": " + std::strerror(error));
}

}  // namespace infra::sandbox
