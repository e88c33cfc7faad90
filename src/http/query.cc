#include "http/query.h"

#include <fmt/format.h>

#include <charconv>

#include "core/error_codes.h"

namespace infra::http {

Result<int> read_limit(const net::Request& request, int standard, int most) {
  const auto text = net::query_value(request.query, "limit");
  if (!text) return standard;
  int limit = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (error != std::errc{} || end != text->data() + text->size() || limit < 1 || limit > most) {
    return fail(errors::invalid_limit, fmt::format("limit must be a whole number from 1 to {}.", most));
  }
  return limit;
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
