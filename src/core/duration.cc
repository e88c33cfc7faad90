#include "core/duration.h"

#include <algorithm>
#include <cmath>

namespace infra {
namespace {

constexpr double kMostUs = 9e15;  // every whole number up to here is a double

}  // namespace

std::int64_t whole_us(double ms) {
  if (!(ms > 0)) return 0;
  return std::llround(std::min(ms * 1000, kMostUs));
}

std::int64_t whole_ms(double ms) {
  return (whole_us(ms) + 999) / 1000;
}

}  // namespace infra
