#include "sandbox/protocol/version_hash.h"

#include <fmt/format.h>

#include <cstddef>

#include "core/operator_error_codes.h"

namespace infra::sandbox {
namespace {

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string to_hex(const VersionHash& hash) {
  std::string text;
  for (const std::uint8_t byte : hash) text += fmt::format("{:02x}", byte);
  return text;
}

Result<VersionHash> parse_version(std::string_view text) {
  VersionHash hash{};
  bool valid = text.size() == hash.size() * 2;
  for (std::size_t i = 0; valid && i < hash.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    valid = high >= 0 && low >= 0;
    if (valid) hash[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  if (!valid) return fail(errors::invalid_version, "a version is named by 64 lower-case hexadecimal digits");
  return hash;
}

}  // namespace infra::sandbox
