// A version's name on its way to the spawner: 32 bytes, whatever a client or the unprivileged program says.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.h"

namespace infra::sandbox {

using VersionHash = std::array<std::uint8_t, 32>;

[[nodiscard]] std::string to_hex(const VersionHash& hash);
// Nothing but 64 lower-case hexadecimal digits will do.
[[nodiscard]] Result<VersionHash> parse_version(std::string_view text);

}  // namespace infra::sandbox
