#include "sandbox/system/ipv4.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "core/operator_error_codes.h"

namespace infra::sandbox {

namespace {

std::unexpected<Error> not_valid(std::string message) {
  return fail(errors::invalid_address, std::move(message));
}

std::optional<int> parse_prefix(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0 || number > 32) return std::nullopt;
  return number;
}

}  // namespace

std::string to_string(Ipv4 address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, (address >> 16) & 255, (address >> 8) & 255, address & 255);
}

std::string to_string(const Ipv4Range& range) {
  return fmt::format("{}/{}", to_string(range.first), range.prefix);
}

Result<Ipv4> parse_ipv4(std::string_view text) {
  in_addr address{};
  if (::inet_pton(AF_INET, std::string(text).c_str(), &address) != 1)
    return not_valid(fmt::format("\"{}\" is no IPv4 address such as 10.1.2.3", text));
  return ntohl(address.s_addr);
}

Result<Ipv4Range> parse_ipv4_range(std::string_view text) {
  const auto slash = text.find('/');
  auto first = parse_ipv4(text.substr(0, slash));
  if (!first) return fail(first.error());
  const auto prefix = slash == std::string_view::npos ? 32 : parse_prefix(text.substr(slash + 1));
  if (!prefix) return not_valid(fmt::format("\"{}\" is no range such as 10.1.0.0/16", text));
  const Ipv4Range range{.first = *first, .prefix = *prefix};
  if ((range.first & ~range.mask()) != 0) {
    const Ipv4Range meant{.first = range.first & range.mask(), .prefix = range.prefix};
    return not_valid(fmt::format("\"{}\" has bits behind its prefix; {} is the whole range", text, to_string(meant)));
  }
  return range;
}

}  // namespace infra::sandbox
