#include "http/logs_handler.h"

#include <fmt/format.h>

#include "core/duration.h"
#include "core/error_codes.h"
#include "core/json_text.h"
#include "core/text.h"
#include "core/trace_context.h"
#include "http/error_response.h"
#include "http/query.h"

namespace infra::http {
namespace {

constexpr int kStandardPage = 50;
constexpr int kMaxPage = 1000;

// The key has digits past the millisecond, which many readers of times refuse.
std::string shown_timestamp(const std::string& key) {
  const auto time = parse_iso8601(key);
  return time ? to_iso8601(*time) : key;
}

// RFC 6266; the plain form too where that says the same, because some clients know no other.
std::string attachment(std::string_view name) {
  const std::string encoded = net::percent_encode(name);
  if (encoded == name) return fmt::format(R"(attachment; filename="{}")", name);
  return fmt::format("attachment; filename*=UTF-8''{}", encoded);
}

std::string profile_json(const std::optional<RunProfile>& profile) {
  if (!profile) return R"("peakMemoryBytes":null,"cpuUsage":null,"coldStart":null)";
  return fmt::format(R"("peakMemoryBytes":{},"cpuUsage":{},"coldStart":{})", profile->peak_memory_bytes,
                     profile->cpu_usage_us, profile->cold_start);
}

// `message` is valid UTF-8.
std::string to_json(const LogRow& row, std::string_view message) {
  return fmt::format(
      R"({{"id":{0},"requestId":{0},"timestamp":{1},"status":"{2}","code":{3},"duration":{4},"handlerDurationMs":{5},)"
      R"("memory":{6},"allocatedMemoryMb":{7},{8},"traceId":{9},"message":{10}}})",
      json_quote(row.request_id.value), json_quote(shown_timestamp(row.timestamp)), to_string(row.status),
      row.error_code.empty() ? "null" : json_quote(row.error_code), whole_ms(row.duration_ms),
      row.handler_ms ? json_number(*row.handler_ms) : "null", row.memory_mb,
      row.allocated_memory_mb ? std::to_string(*row.allocated_memory_mb) : "null", profile_json(row.profile),
      row.trace_id.empty() ? "null" : json_quote(row.trace_id), json_quote(message));
}

}  // namespace

Task<Result<net::Response>> LogsHandler::list(Context& context) {
  const auto id = path_function(context);
  if (!id) co_return fail(id.error());
  const auto limit = read_limit(context.request, kStandardPage, kMaxPage);
  if (!limit) co_return fail(limit.error());
  LogQuery query{.function_id = *id,
                 .limit = *limit,
                 .start = {},
                 .cursor = net::query_value(context.request.query, "cursor").value_or("")};
  if (const auto start = net::query_value(context.request.query, "startTime")) {
    query.start = parse_query_time(*start);
    if (!query.start) co_return fail(errors::invalid_start_time, fmt::format("startTime must be {}.", kQueryTime));
  }
  if (auto trace = net::query_value(context.request.query, "traceId")) {
    if (!is_trace_id(*trace)) {
      co_return fail(errors::invalid_trace_id,
                     "traceId must be the 32 lower-case hexadecimal digits of a W3C trace id, not all of them zero.");
    }
    query.trace_id = std::move(*trace);
  }
  const auto page = co_await logs_.list(std::move(query));
  if (!page) co_return fail(page.error());
  auto response =
      json_response(200, json_array(page->rows, [](const LogRow& row) {
                      return to_json(row, shorten(replace_invalid_utf8(row.message), limits::kListedMessageUnits));
                    }));
  link_next(response, context, page->next_cursor);
  co_return response;
}

Task<Result<net::Response>> LogsHandler::get(Context& context) {
  const auto id = path_function(context);
  if (!id) co_return fail(id.error());
  const auto row = co_await logs_.find(*id, {context.param("requestId")});
  if (!row) co_return fail(row.error());
  co_return json_response(200, to_json(*row, replace_invalid_utf8(row->message)));
}

// A download, whatever is in it: a function's bytes must not run as a page in the browser of who looks at them.
Task<Result<net::Response>> LogsHandler::file(Context& context) {
  const auto id = path_function(context);
  if (!id) co_return fail(id.error());
  const std::string& name = context.param("name");
  auto file = co_await files_.open(*id, {context.param("requestId")}, name);
  if (!file) co_return fail(file.error());
  net::Response response{.status = 200, .headers = {}, .body = {}, .file = std::move(*file)};
  response.headers.set("Content-Type", "application/octet-stream");
  response.headers.set("Content-Disposition", attachment(name.substr(name.rfind('/') + 1)));
  response.headers.set("X-Content-Type-Options", "nosniff");
  co_return response;
}

}  // namespace infra::http
