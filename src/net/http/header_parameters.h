// Header values of the form `value; name=value; name="quoted"` (Content-Type, Content-Disposition), read strictly: two
// readers that disagree about such a line is how uploads get past checks.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace infra::net {

struct ParameterizedValue {
  std::string value;  // what stands before the first ';', in lower case
  std::vector<std::pair<std::string, std::string>>
      parameters;  // names in lower case, values without quotes and escapes

  [[nodiscard]] const std::string* find(std::string_view name) const;
};

// Nullopt if it is malformed or names a parameter twice. In a quoted string only `\"` and `\\` are escapes: some
// clients send paths with bare backslashes.
[[nodiscard]] std::optional<ParameterizedValue> parse_parameterized(std::string_view text);

// The text of an extended value (RFC 8187), UTF-8''na%C3%AFve; nullopt if malformed, of another charset or no valid
// UTF-8.
[[nodiscard]] std::optional<std::string> decode_extended_value(std::string_view text);

}  // namespace infra::net
