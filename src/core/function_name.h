// Names that a function can claim, so that clients find it by them: those of AWS Lambda's functions. Any other text may
// be a function's name as well, and finds nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"

namespace infra {

// 1 to 64 of [A-Za-z0-9_-], and no UUID, for those are ids.
[[nodiscard]] bool is_claimable_name(std::string_view name);

// One that is, and resembles `name`.
[[nodiscard]] std::string claimable_name_like(std::string_view name);

// `invalid` (code invalid_name), with a proposal, for a name that can't be claimed.
[[nodiscard]] Result<void> check_claimable(std::string_view name);

// Of "name:NAME", which may stand where a function's id does; nullopt for anything else, which may be an id.
[[nodiscard]] std::optional<std::string_view> name_referred_to(std::string_view reference);

}  // namespace infra
