#include "http/query.h"

#include <fmt/format.h>

#include "core/error_codes.h"
#include "core/text.h"

namespace infra::http {

Result<int> read_limit(const net::Request& request, int standard, int most) {
  const auto text = net::query_value(request.query, "limit");
  if (!text) return standard;
  const auto limit = parse_whole(*text);
  if (!limit || *limit < 1 || *limit > most)
    return fail(errors::invalid_limit, fmt::format("limit must be a whole number from 1 to {}.", most));
  return static_cast<int>(*limit);
}

void link_next(net::Response& response, const Context& context, std::string_view next_cursor) {
  if (next_cursor.empty()) return;
  std::string query;
  for (const std::string_view name : {"limit", "startTime"}) {
    if (const auto value = net::query_value(context.request.query, name)) {
      query += fmt::format("{}={}&", name, net::percent_encode(*value));
    }
  }
  response.headers.add("Link", fmt::format("<{}?{}cursor={}>; rel=\"next\"", context.request.path, query,
                                           net::percent_encode(next_cursor)));
}

// A '+' that was not escaped is a space in a query: "2026-11-30T06:00:00 09:00". Some programs put one there
// themselves: "2026-11-30 06:00:00 +0900".
std::optional<WallTime> parse_query_time(std::string text) {
  constexpr std::size_t kDateEnd = std::string_view("2026-11-30").size();
  const auto space = text.rfind(' ');
  if (space != std::string::npos && space > kDateEnd) {
    const bool has_sign = text.find_first_of("+-", space) == space + 1;
    text.replace(space, 1, has_sign ? "" : "+");
  }
  return parse_iso8601(text);
}

Error function_not_found() {
  return {errors::function_not_found, "There is no function with this id; GET /functions lists them."};
}

Result<FunctionId> path_function(Context& context) {
  const std::string& id = context.param("id");
  if (!is_valid_function_id(id)) return fail(function_not_found());
  context.function = {id};
  return FunctionId{id};
}

}  // namespace infra::http
