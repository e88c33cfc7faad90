#include "sandbox/protocol/network_bytes.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <string_view>

namespace infra::sandbox {

NetworkBytes read_network_bytes(int counters) {
  if (counters < 0) return {};
  std::array<char, 1024> buffer{};
  const ssize_t got = ::pread(counters, buffer.data(), buffer.size(), 0);
  std::string_view text(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  const auto line = text.find("eth0:");
  if (line == std::string_view::npos) return {};
  text.remove_prefix(line + std::string_view("eth0:").size());
  std::array<std::int64_t, 9> numbers{};
  for (auto& number : numbers) {
    const auto digit = text.find_first_not_of(' ');
    if (digit == std::string_view::npos) return {};
    text.remove_prefix(digit);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return {};
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  return {.received = numbers[0], .sent = numbers[8]};
}

}  // namespace infra::sandbox
