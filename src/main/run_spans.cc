#include "main/run_spans.h"

#include <algorithm>

#include "core/trace_context.h"

namespace infra {
namespace {

using std::chrono::nanoseconds;

nanoseconds from_ms(double ms) {
  return std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double, std::milli>(ms));
}

}  // namespace

void tell_of_run(Spans& spans, app::IdSource& ids, const JobResult& result, const Job& job,
                 const worker::RunTimes& times) {
  const auto request = parse_traceparent(job.traceparent);
  if (!request || !spans.wanted(*request)) return;
  // The end is told as how long it was before all had ended.
  const auto part = [&](std::string_view name, nanoseconds before, nanoseconds took) {
    return Span{.trace = request->trace,
                .id = ids.span_below(request, false).span,
                .parent = request->span,
                .name = name,
                .end = times.settled,
                .before = before,
                .took = std::max(took, nanoseconds{}),
                .attributes = {{"infra.request_id", job.request_id.value},
                               {"infra.function_id", job.function_id.value},
                               {"infra.worker_id", result.worker_id.value}}};
  };
  const nanoseconds run = from_ms(result.duration_ms);
  const nanoseconds begun = times.settlement + run;
  Span queue = part("queue", begun, times.settled - job.accepted_at - begun);
  queue.kind = Span::Kind::consumer;
  spans.add(std::move(queue));
  if (result.handler_ms) {
    const nanoseconds handler = from_ms(*result.handler_ms);
    if (result.cold_start) spans.add(part("cold start", times.settlement + handler, run - handler));
    Span called = part("handler", times.settlement, handler);
    called.failed = result.status != RunStatus::success;
    called.attributes.push_back({"infra.status", std::string(to_string(result.status))});
    spans.add(std::move(called));
  }
  spans.add(part("settle", nanoseconds{}, times.settlement));
}

}  // namespace infra
