// As much of TOML as our files need: names with texts, whole numbers and truth values, in tables one deep.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace infra::cli {

struct TomlEntry {
  std::string table;  // empty: the file's own
  std::string key;
  std::string value;  // a number as its digits, true or false as these words
  bool is_text = false;
  std::uint32_t line = 0;
};

// In the file's order. A failure is a sentence that names the line.
[[nodiscard]] std::expected<std::vector<TomlEntry>, std::string> read_toml(std::string_view text);

// A basic string, with its quotes.
[[nodiscard]] std::string toml_quote(std::string_view text);

}  // namespace infra::cli
