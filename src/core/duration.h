// Durations as answers tell them. They are measured and added up in fractions of a millisecond; clients with typed
// integers want whole numbers.
#pragma once

#include <cstdint>

namespace infra {

// The nearest microsecond; 0 for what is no duration.
[[nodiscard]] std::int64_t whole_us(double ms);

// whole_us() in milliseconds, rounded up: what took any time took at least one.
[[nodiscard]] std::int64_t whole_ms(double ms);

}  // namespace infra
