// What became of one of the resources that a fleet stands on, when it was looked for or made.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "core/error.h"

namespace infra::aws {

struct ResourceReport {
  enum class State : std::uint8_t {
    ok,       // there, and as it must be
    made,     // was missing
    changed,  // a setting of it was
    missing,
    differs,  // there, and not as it must be
    unknown,  // the service, or the role, does not tell
    failed,
  };
  std::string kind;  // "dynamodb table"
  std::string name;
  State state = State::ok;
  std::string detail{};  // a sentence; may be empty

  // Whether a fleet can do with it.
  [[nodiscard]] bool will_do() const { return state <= State::changed || state == State::unknown; }
};

// Whether to make what is missing, or to look only.
enum class OnMissing : std::uint8_t { make, check };

}  // namespace infra::aws
