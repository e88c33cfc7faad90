#include "sandbox/protocol/egress_options.h"

#include <fmt/format.h>

#include <charconv>

#include "core/operator_error_codes.h"

namespace infra::sandbox {

namespace {

// 0 if it is none.
std::uint16_t parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() ? port : 0;
}

}  // namespace

Result<EgressOpening> parse_egress_opening(std::string_view text) {
  const auto colon = text.find(':');
  auto range = parse_ipv4_range(text.substr(0, colon));
  if (!range) return fail(range.error());
  if (colon == std::string_view::npos) return EgressOpening{.range = *range};
  const auto port = parse_port(text.substr(colon + 1));
  if (port == 0)
    return fail(errors::invalid_address, fmt::format("\"{}\" has no port from 1 to 65535 after its colon", text));
  return EgressOpening{.range = *range, .port = port};
}

}  // namespace infra::sandbox
