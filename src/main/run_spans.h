// The spans of a run on its worker: in the queue, the cold start, the handler, the settlement.
#pragma once

#include "app/id_source.h"
#include "core/job_result.h"
#include "telemetry/spans.h"
#include "worker/jobs/run_times.h"

namespace infra {

// Below the request's span, which the job's traceparent names. Nothing of a run whose trace is not sampled. The
// handler's end is taken for the run's. Any thread.
void tell_of_run(Spans& spans, app::IdSource& ids, const JobResult& result, const Job& job,
                 const worker::RunTimes& times);

}  // namespace infra
