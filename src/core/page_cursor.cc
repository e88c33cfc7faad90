#include "core/page_cursor.h"

#include <charconv>
#include <cstdint>
#include <optional>

#include "core/error_codes.h"

namespace infra {
namespace {

constexpr std::size_t kMaxCursor = 1024;
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";  // RFC 4648, 5

std::string encode(std::string_view bytes) {
  std::string text;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    for (held += 8; held >= 6; held -= 6) text += kBase64Url[(bits >> (held - 6)) & 63];
  }
  if (held > 0) text += kBase64Url[(bits << (6 - held)) & 63];
  return text;
}

std::optional<std::string> decode(std::string_view text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const auto digit = kBase64Url.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>((bits >> held) & 0xff);
    }
  }
  return bytes;
}

constexpr std::string_view kFunctions = "functions";

}  // namespace

std::string make_cursor(std::string_view kind, std::initializer_list<std::string_view> key) {
  std::string plain(kind);
  for (const auto part : key) {
    plain += '\n';
    plain += part;
  }
  return encode(plain);
}

Result<std::vector<std::string>> read_cursor(std::string_view kind, std::size_t parts, std::string_view cursor) {
  if (cursor.size() > kMaxCursor) return invalid_cursor();
  const auto plain = decode(cursor);
  // Encoding again refuses the spellings that differ in the unused last bits.
  if (!plain || encode(*plain) != cursor) return invalid_cursor();
  std::vector<std::string> key;
  std::string_view rest = *plain;
  for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    key.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  key.emplace_back(rest);
  if (key.front() != kind || key.size() != parts + 1) return invalid_cursor();
  key.erase(key.begin());
  return key;
}

std::unexpected<Error> invalid_cursor() {
  return fail(errors::invalid_cursor,
              "cursor is not one that this listing gave out; start again without it, or follow the Link header.");
}

std::string make_function_cursor(const Function& last) {
  return make_cursor(kFunctions, {std::to_string(last.uploaded_at.time_since_epoch().count()), last.id.value});
}

Result<FunctionCursor> read_function_cursor(const std::string& cursor) {
  if (cursor.empty()) return FunctionCursor{};
  auto key = read_cursor(kFunctions, 2, cursor);
  if (!key) return fail(key.error());
  std::int64_t ms = 0;
  const std::string& number = (*key)[0];
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), ms);
  if (error != std::errc{} || end != number.data() + number.size()) return invalid_cursor();
  return FunctionCursor{.uploaded_at = WallTime{milliseconds{ms}}, .id = {std::move((*key)[1])}};
}

}  // namespace infra
