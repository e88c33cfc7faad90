#include "core/json_text.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>

namespace infra {

std::string json_quote(std::string_view text) {
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";  // as JavaScript does: JSON has no word for it
  return fmt::format("{}", std::round(value * 1000) / 1000);
}

std::string json_counts(const std::map<std::string, int>& counts) {
  std::string text = "{";
  for (const auto& [name, count] : counts) {
    text += fmt::format("{}{}:{}", text.size() > 1 ? "," : "", json_quote(name), count);
  }
  return text + "}";
}

}  // namespace infra
