// The text that a newcomer reads when `infra dev` has started.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace infra {

// The address, the key and lines to paste; `examples` is the folder with the example functions, empty if it is not at
// hand.
[[nodiscard]] std::string walk_through(std::uint16_t port, std::string_view key, std::string_view examples);

}  // namespace infra
