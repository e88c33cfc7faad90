// Enumerations that travel as numbers, over a socket or in a database's column: a number that means nothing makes none.
#pragma once

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

namespace infra {

// The last enumerator of one whose enumerators are 0, 1, 2 …; specialized beside each enumeration that is read so.
template <typename Enum>
  requires std::is_enum_v<Enum>
inline constexpr Enum kLastOf = Enum::unspecified;

template <typename Enum, std::integral Number>
[[nodiscard]] constexpr std::optional<Enum> from_number(Number number) {
  if (std::cmp_less(number, 0) || std::cmp_greater(number, std::to_underlying(kLastOf<Enum>))) return std::nullopt;
  return static_cast<Enum>(number);
}

}  // namespace infra
