#include "cli/toml_text.h"

#include <fmt/format.h>

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ENABLE_WINDOWS_COMPAT 0
#include <toml++/toml.h>

#include <algorithm>

#include "core/json_text.h"

namespace infra::cli {
namespace {

// False if it is of a kind that no file of ours has.
bool add(std::vector<TomlEntry>& entries, std::string_view table, std::string_view key, const toml::node& node) {
  TomlEntry entry{.table = std::string(table), .key = std::string(key), .value = {}, .line = node.source().begin.line};
  if (const auto* text = node.as_string()) {
    entry.value = text->get();
    entry.is_text = true;
  } else if (const auto* number = node.as_integer()) {
    entry.value = std::to_string(number->get());
  } else if (const auto* truth = node.as_boolean()) {
    entry.value = truth->get() ? "true" : "false";
  } else {
    return false;
  }
  entries.push_back(std::move(entry));
  return true;
}

}  // namespace

std::expected<std::vector<TomlEntry>, std::string> read_toml(std::string_view text) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return std::unexpected(
        fmt::format("line {}: {}.", parsed.error().source().begin.line, parsed.error().description()));
  }
  std::vector<TomlEntry> entries;
  const auto refuse = [](const toml::key& key, const toml::node& node) {
    return std::unexpected(
        fmt::format("line {}: {} must be a text, a whole number, true or false.", node.source().begin.line, key.str()));
  };
  for (const auto& [key, node] : parsed.table()) {
    if (const auto* table = node.as_table()) {
      for (const auto& [name, value] : *table) {
        if (!add(entries, key.str(), name.str(), value)) return refuse(name, value);
      }
    } else if (!add(entries, {}, key.str(), node)) {
      return refuse(key, node);
    }
  }
  std::ranges::sort(entries, {}, &TomlEntry::line);
  return entries;
}

std::string toml_quote(std::string_view text) {
  std::string quoted;
  for (const char c : json_quote(text)) {  // whose escapes are TOML's as well
    if (c == '\x7f') {
      quoted += "\\u007F";
    } else {
      quoted += c;
    }
  }
  return quoted;
}

}  // namespace infra::cli
