#include "platform/engines/aws/dynamodb_number.h"

#include <fmt/format.h>

#include <charconv>

namespace infra::simulation {
namespace {

constexpr std::int64_t kOne = 1'000'000;
constexpr std::int64_t kMostWhole = 9'000'000'000'000;
constexpr std::size_t kDecimals = 6;

std::optional<std::int64_t> digits(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.starts_with('-') || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Decimal> read_decimal(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto point = text.find('.');
  const auto whole = digits(text.substr(0, point));
  if (!whole || *whole > kMostWhole) return std::nullopt;
  std::int64_t millionths = *whole * kOne;
  if (point != std::string_view::npos) {
    std::string fraction(text.substr(point + 1));
    if (fraction.empty() || fraction.size() > kDecimals) return std::nullopt;
    fraction.append(kDecimals - fraction.size(), '0');
    const auto part = digits(fraction);
    if (!part) return std::nullopt;
    millionths += *part;
  }
  return Decimal{negative ? -millionths : millionths};
}

std::string to_text(Decimal number) {
  const bool negative = number.millionths < 0;
  const std::int64_t size = negative ? -number.millionths : number.millionths;
  std::string text = fmt::format("{}{}", negative ? "-" : "", size / kOne);
  if (size % kOne == 0) return text;
  text += fmt::format(".{:06}", size % kOne);
  return text.substr(0, text.find_last_not_of('0') + 1);
}

}  // namespace infra::simulation
