#include "http/series_handler.h"

#include <fmt/format.h>

#include "core/error_codes.h"
#include "core/json_text.h"
#include "core/text.h"
#include "http/error_response.h"
#include "http/query.h"

namespace infra::http {
namespace {

using std::chrono::seconds;

Result<std::optional<WallTime>> read_time(const net::Request& request, std::string_view name) {
  auto text = net::query_value(request.query, name);
  if (!text) return std::nullopt;
  const auto time = parse_query_time(std::move(*text));
  if (!time) return fail(errors::invalid_series_range, fmt::format("{} must be {}.", name, kQueryTime));
  return time;
}

// What is no number is 0, which no step can be.
std::optional<seconds> read_step(const net::Request& request) {
  const auto text = net::query_value(request.query, "step");
  return text ? std::optional(seconds{parse_whole(*text).value_or(0)}) : std::nullopt;
}

std::string to_json(const app::SeriesPoint& point) {
  const RunSums& sums = point.sums;
  return fmt::format(
      R"({{"time":"{}","runs":{},"errors":{},"coldStarts":{},"averageMs":{},"p50Ms":{},"p99Ms":{},"maxMs":{},)"
      R"("peakMemoryMb":{}}})",
      to_iso8601(point.time), sums.runs, sums.errors, sums.cold_starts,
      json_number(sums.total_ms / static_cast<double>(sums.runs)), json_number(sums.percentile_ms(0.5)),
      json_number(sums.percentile_ms(0.99)), json_number(sums.max_ms),
      sums.peak_memory_bytes > 0 ? std::to_string(peak_memory_mb(sums.peak_memory_bytes)) : "null");
}

}  // namespace

Task<Result<net::Response>> SeriesHandler::get(Context& context) {
  const auto id = path_function(context);
  if (!id) co_return fail(id.error());
  const auto from = read_time(context.request, "from");
  const auto to = read_time(context.request, "to");
  if (!from || !to) co_return fail(!from ? from.error() : to.error());
  const auto series = co_await series_.read(*id, {.from = *from, .to = *to, .step = read_step(context.request)});
  if (!series) co_return fail(series.error());
  co_return json_response(
      200, fmt::format(R"({{"functionId":{},"from":"{}","to":"{}","step":{},"points":{}}})", json_quote(id->value),
                       to_iso8601(series->from), to_iso8601(series->to), series->step.count(),
                       json_array(series->points, [](const app::SeriesPoint& point) { return to_json(point); })));
}

}  // namespace infra::http
