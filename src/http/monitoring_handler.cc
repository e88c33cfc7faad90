#include "http/monitoring_handler.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/duration.h"
#include "core/error_codes.h"
#include "core/json_text.h"
#include "core/text.h"
#include "http/error_response.h"
#include "telemetry/log.h"

namespace infra::http {
namespace {

std::string_view name_of(log::Level level) {
  switch (level) {
    case log::Level::warn:
      return "WARN";
    case log::Level::error:
      return "ERROR";
    default:
      return "INFO";
  }
}

std::string id_or_null(const std::string& id) {
  return id.empty() ? "null" : json_quote(replace_invalid_utf8(id));
}

std::string figures_json(const std::optional<RunFigures>& run) {
  if (!run) return R"("duration":null,"handlerDurationMs":null,"memory":null,"status":null,"exitCode":null)";
  return fmt::format(R"("duration":{},"handlerDurationMs":{},"memory":{},"status":"{}","exitCode":{})",
                     whole_ms(run->duration_ms), run->handler_ms ? json_number(*run->handler_ms) : "null",
                     run->memory_mb, to_string(run->status), run->exit_code);
}

// `,"overload":{"pressure":{"disk":0.2},"actions":["stop_outputs"]}`
std::string overload_json(const Overload& overload) {
  std::string pressures;
  for (std::size_t i = 0; i < kResources; ++i) {
    const auto resource = static_cast<Resource>(i);
    const auto pressure = overload.pressure(resource);
    if (!pressure) continue;
    pressures += fmt::format(R"({}"{}":{:.3f})", pressures.empty() ? "" : ",", to_string(resource), *pressure);
  }
  std::string actions;
  for (std::size_t i = 0; i < kActions; ++i) {
    const auto action = static_cast<Action>(i);
    if (overload.active(action)) actions += fmt::format(R"({}"{}")", actions.empty() ? "" : ",", to_string(action));
  }
  return fmt::format(R"(,"overload":{{"pressure":{{{}}},"actions":[{}]}})", pressures, actions);
}

std::string_view configuration_json(const std::function<bool()>& present) {
  if (!present) return "";
  return present() ? R"(,"configuration":"present")" : R"(,"configuration":"absent")";
}

}  // namespace

Task<Result<net::Response>> MonitoringHandler::overview(Context&) {
  const auto engines = health_.snapshot();
  const bool ok = !view_.draining() && std::ranges::all_of(engines, [](const auto& entry) { return entry.second.ok; });
  co_return json_response(
      200,
      fmt::format(
          R"({{"service":"Infra","version":"{}","status":"{}","endpoints":{{"health":"/health","metrics":"/metrics",)"
          R"("upload":"/api/upload","run":"/api/run","status":"/api/status/:jobId","functions":"/api/functions",)"
          R"("logs":"/api/logs","workers":"/api/workers","systemStatus":"/api/system/status","models":"/api/models"}},)"
          R"("authentication":"Send the API key in the header x-api-key."}})",
          INFRA_VERSION, ok ? "OK" : "ERROR"));
}

Task<Result<net::Response>> MonitoringHandler::health(Context&) {
  bool ok = !view_.draining();
  std::string checks;
  for (const auto& [name, engine] : health_.snapshot()) {
    ok = ok && engine.ok;
    checks +=
        fmt::format(R"({}{}:{{"status":"{}","latencyMs":{}{}}})", checks.empty() ? "" : ",", json_quote(name),
                    engine.ok ? "OK" : "ERROR", json_number(engine.latency_ms),
                    engine.ok ? "" : fmt::format(R"(,"error":{})", json_quote(replace_invalid_utf8(engine.error))));
  }
  co_return json_response(
      ok ? 200 : 503,
      fmt::format(R"({{"status":"{}","version":"{}"{}{},"checks":{{{}}}{}}})", ok ? "OK" : "ERROR", INFRA_VERSION,
                  view_.draining() ? R"(,"draining":true)" : "", configuration_json(view_.configuration), checks,
                  view_.overload != nullptr ? overload_json(*view_.overload) : ""));
}

Task<Result<net::Response>> MonitoringHandler::metrics(Context&) {
  net::Response response;
  if (view_.overload != nullptr) view_.overload->show(metrics_);
  for (const auto& [name, engine] : health_.snapshot()) metrics_.set("engine_up", engine.ok ? 1 : 0, name);
  response.body = metrics_.render(co_await view_.gauges());
  response.headers.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  co_return response;
}

Task<Result<net::Response>> MonitoringHandler::logs(Context& context) {
  const FunctionList* const own = context.own_functions();
  const auto format = net::query_value(context.request.query, "format");
  if (format && own != nullptr) {
    co_return fail(errors::key_not_allowed,
                   "The key is for certain functions, and the program's own log tells of all; leave format out.");
  }
  if (format == "native")
    co_return json_response(200, json_array(log::recent_lines(), [](const std::string& line) { return line; }));
  if (format) {
    co_return fail(errors::invalid_format,
                   "format must be native, for the program's own log lines; without it GET /logs gives events.");
  }
  auto events = events_.newest_first();
  std::erase_if(events, [own](const Event& event) { return !is_among(own, {event.function}); });
  co_return json_response(
      200, json_array(events, [this](const Event& event) {
        return fmt::format(R"({{"id":"{}","level":"{}","timestamp":"{}","msg":{},"functionId":{},"requestId":{},{}}})",
                           events_.id_of(event), name_of(event.level), to_iso8601(event.time),
                           json_quote(replace_invalid_utf8(event.message)), id_or_null(event.function),
                           id_or_null(event.request), figures_json(event.run));
      }));
}

}  // namespace infra::http
