// Where an entry of a bundle goes: names as ZIP tools write them, made plain or refused.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"

namespace infra {

// The path below the bundle's root that an entry's name means, without a slash at either end: what is only odd ("./a",
// "/a", "a//b", "a/") is mended, as unzip does. Empty for the root itself. `invalid` (invalid_bundle_path) for what
// could leave the bundle or be read in two ways.
[[nodiscard]] Result<std::string> bundle_path(std::string_view name);

// A stranger's name for a message: its start, as text.
[[nodiscard]] std::string shown_name(std::string_view name);

// Bytes below 0x20, and DEL.
[[nodiscard]] bool has_control_character(std::string_view text);

// "a/b" of "a/b/c"; empty where the root is what is above.
[[nodiscard]] std::string_view folder_of(std::string_view path);

}  // namespace infra
