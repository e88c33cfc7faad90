// DynamoDB's numbers, exactly: what is added up must not depend on the order. Up to six decimals, which is more than
// our rows have; others are not simulated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace infra::simulation {

struct Decimal {
  std::int64_t millionths = 0;
};

[[nodiscard]] std::optional<Decimal> read_decimal(std::string_view text);
[[nodiscard]] std::string to_text(Decimal number);  // without trailing zeros: "12.5", "3"

}  // namespace infra::simulation
