#include "http/advice_handler.h"

#include <fmt/format.h>

#include "core/error_codes.h"
#include "core/json_text.h"
#include "http/error_response.h"
#include "http/query.h"

namespace infra::http {
namespace {

constexpr std::uint64_t kMaxBodyBytes = 1024;

std::string to_json(const std::optional<PeakMemory>& peaks) {
  if (!peaks) return "null";
  return fmt::format(R"({{"p50":{},"p95":{},"max":{},"coldMax":{},"warmMax":{}}})", peaks->p50, peaks->p95, peaks->max,
                     peaks->cold_max, peaks->warm_max);
}

std::string to_json(const app::FunctionAdvice& found) {
  const MemoryAdvice& a = found.advice;
  std::string text = fmt::format(
      R"({{"functionId":{},"since":"{}","allocatedMemoryMb":{},"runs":{},"coldStarts":{},"outOfMemoryRuns":{},)"
      R"("peakMemoryBytes":{})",
      json_quote(found.function_id.value), to_iso8601(found.since), a.allocated_mb, a.runs, a.cold_starts,
      a.out_of_memory, to_json(a.peaks));
  text += fmt::format(R"(,"cpu":{{"used":{},"share":{},"bound":{}}})", a.cpu_used ? json_number(*a.cpu_used) : "null",
                      json_number(a.cpu_share), a.cpu_bound);
  text += fmt::format(
      R"(,"verdict":"{}","confidence":"{}","recommendedMemoryMb":{},"estimatedSavings":{},"optimizationTip":{})",
      to_string(a.verdict), to_string(a.confidence),
      a.recommended_memory_mb ? std::to_string(*a.recommended_memory_mb) : "null",
      a.estimated_savings.empty() ? "null" : json_quote(a.estimated_savings), json_quote(a.optimization_tip));
  text +=
      a.is_change() ? fmt::format(R"(,"apply":{{"memoryMb":{}}}}})", *a.recommended_memory_mb) : R"(,"apply":null})";
  return text;
}

}  // namespace

Task<Result<net::Response>> AdviceHandler::get(Context& context) {
  const auto id = path_function(context);
  if (!id) co_return fail(id.error());
  const auto found = co_await advise_.advise(*id);
  if (!found) co_return fail(found.error());
  co_return json_response(200, to_json(*found));
}

Task<Result<net::Response>> AdviceHandler::apply(Context& context) {
  const auto id = path_function(context);
  if (!id) co_return fail(id.error());
  const auto body = co_await net::read_all(*context.request.body, kMaxBodyBytes);
  if (!body) co_return fail(body.error());
  if (!body->empty() && *body != "{}") {  // a client that sends a setting must not believe that it was taken
    co_return fail(errors::unexpected_body,
                   "PUT /functions/:id/advice takes no body; PUT /functions/:id sets a memoryMb of your own.");
  }
  const auto memory_mb = co_await advise_.apply(*id);
  if (!memory_mb) co_return fail(memory_mb.error());
  co_return json_response(
      200, fmt::format(R"({{"success":true,"functionId":{},"memoryMb":{}}})", json_quote(id->value), *memory_mb));
}

}  // namespace infra::http
