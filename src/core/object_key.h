// The form of a small object's key in the code store, so that every key is safe for every store.
#pragma once

#include <string_view>

#include "core/error.h"

namespace infra {

// Segments of [A-Za-z0-9._-] parted by single slashes, none hidden, 512 bytes at most: so no key climbs out of a
// folder, and none is the name of another's temporary file. Else `invalid` (code invalid_object_key).
[[nodiscard]] Result<void> check_object_key(std::string_view key);

}  // namespace infra
