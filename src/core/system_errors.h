// What a system error means to a client where it is neither its fault nor the step's: it passes by itself, or takes an
// operator's hand.
#pragma once

#include <cerrno>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/error_codes.h"

namespace infra {

// There will be some when others are closed.
[[nodiscard]] inline bool is_out_of_descriptors(int error) {
  return error == EMFILE || error == ENFILE;
}
[[nodiscard]] inline bool is_out_of_room(int error) {
  return error == ENOSPC || error == EDQUOT;
}

// The error of a step that failed on the disk: no_descriptors or disk_full where it is that, whatever the step was,
// else `otherwise` with `message`.
[[nodiscard]] inline std::unexpected<Error> disk_failure(int error, const ErrorEntry& otherwise, std::string message) {
  if (is_out_of_descriptors(error)) {
    return fail(errors::no_descriptors, "Infra has too many files open; try again in a moment.");
  }
  if (is_out_of_room(error)) {
    return fail(errors::disk_full, "There is no room left on the disk; free some and try again.");
  }
  return fail(otherwise, std::move(message));
}

}  // namespace infra
