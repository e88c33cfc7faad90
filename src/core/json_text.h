// Pieces of JSON text, for answers that are written straight through: Boost.JSON would write 3.1 as 3.1E0.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace infra {

// `text` as a JSON string with its quotes. Each byte that belongs to no UTF-8 character becomes U+FFFD.
[[nodiscard]] std::string json_quote(std::string_view text);
void append_json_string(std::string& json, std::string_view text);
// How many bytes that is.
[[nodiscard]] std::size_t json_string_size(std::string_view text);

// At most three decimals, the shortest form: 3.1, 12, 0.005; null for what is no finite number.
[[nodiscard]] std::string json_number(double value);

// An object of whole numbers.
[[nodiscard]] std::string json_counts(const std::map<std::string, int>& counts);

// An array of what `to_json` writes for each of `items`.
template <typename Range, typename ToJson>
[[nodiscard]] std::string json_array(const Range& items, ToJson to_json) {
  std::string text = "[";
  for (const auto& item : items) {
    if (text.size() > 1) text += ',';
    text += to_json(item);
  }
  return text + "]";
}

}  // namespace infra
