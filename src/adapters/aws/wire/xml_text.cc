// Finds "<name>" or "<name attribute…>" and what stands before its "</name>".
#include "adapters/aws/wire/xml_text.h"

#include <array>
#include <utility>

namespace infra::aws {
namespace {

constexpr std::array<std::pair<std::string_view, char>, 6> kEntities{
    {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&#34;", '"'}}};

std::string decoded(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  while (!text.empty()) {
    std::size_t taken = 1;
    char character = text.front();
    for (const auto& [entity, meant] : kEntities) {
      if (!text.starts_with(entity)) continue;
      taken = entity.size();
      character = meant;
    }
    plain += character;
    text.remove_prefix(taken);
  }
  return plain;
}

}  // namespace

std::optional<std::string> xml_text(std::string_view xml, std::string_view element) {
  const std::string open = "<" + std::string(element);
  const std::string close = "</" + std::string(element) + ">";
  for (auto at = xml.find(open); at != std::string_view::npos; at = xml.find(open, at + 1)) {
    const auto after_name = at + open.size();
    if (after_name >= xml.size() || (xml[after_name] != '>' && xml[after_name] != ' ')) continue;
    const auto start = xml.find('>', after_name);
    if (start == std::string_view::npos) return std::nullopt;
    const auto end = xml.find(close, start);
    if (end == std::string_view::npos) return std::nullopt;
    return decoded(xml.substr(start + 1, end - start - 1));
  }
  return std::nullopt;
}

}  // namespace infra::aws
