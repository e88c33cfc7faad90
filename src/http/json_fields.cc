#include "http/json_fields.h"

#include <fmt/format.h>

#include "core/error_codes.h"
#include "core/json_value.h"
#include "core/text.h"
#include "net/http/header_parameters.h"

namespace infra::http {

namespace json = boost::json;

namespace {

// In lower case; empty if none is given.
std::string charset_of(std::string_view content_type) {
  if (content_type.find(';') == std::string_view::npos) return {};
  const auto type = net::parse_parameterized(content_type);
  const auto* charset = type ? type->find("charset") : nullptr;
  return charset != nullptr ? ascii_lower(*charset) : std::string();
}

}  // namespace

bool is_json(const net::Headers& headers) {
  std::string type = ascii_lower(headers.find("content-type").value_or(""));
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.pop_back();
  return type == "application/json";
}

Task<Result<std::string>> read_json_body(net::Request& request, std::uint64_t max_bytes) {
  const std::string charset = charset_of(request.headers.find("content-type").value_or(""));
  if (!charset.empty() && charset != "utf-8" && charset != "utf8" && charset != "us-ascii") {
    co_return fail(errors::unsupported_charset, fmt::format("The charset {} is not read; send JSON as UTF-8.",
                                                            replace_invalid_utf8(cut_utf8(charset, 64))));
  }
  co_return co_await net::read_all(*request.body, max_bytes);
}

Result<json::object> read_object(std::string_view document) {
  const auto members = read_members(document);
  if (!members) return fail(members.error());
  json::object object;
  for (const auto& member : members->members()) {
    auto value = parse_json(member.text);
    if (!value) {
      return fail(errors::invalid_json, fmt::format("{} has a number that is too large.", cut_utf8(member.name, 64)));
    }
    object.emplace(member.name, std::move(*value));
  }
  return object;
}

}  // namespace infra::http
