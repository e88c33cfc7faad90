// The text of one element out of a small XML answer (S3's and STS's): enough for their flat errors and results, and far
// from being an XML parser.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace infra::aws {

// The text of the first element of this name, with the predefined entities decoded; nullopt if there is none that ends.
[[nodiscard]] std::optional<std::string> xml_text(std::string_view xml, std::string_view element);

}  // namespace infra::aws
