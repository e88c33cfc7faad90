// Puts the files that a call left in /output into the code store, lists them in its result, and says of the others why
// they are not kept.
#pragma once

#include "core/job_result.h"
#include "core/task.h"
#include "ports/code_store.h"
#include "sandbox/launcher.h"

namespace infra::worker {

// One file at a time goes into the store, out of its sandbox's memory and past ours (CodeStore::put_file). `attempt` is
// which start of the job this was: each has objects of its own. `result` has its ids, and its stderr, to which the note
// is added. A store that is away is no reason to fail the run, whose effects are there: the note says so.
Task<void> keep_output(CodeStore& code, sandbox::OutputTree output, int attempt, JobResult& result);

}  // namespace infra::worker
