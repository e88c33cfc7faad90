// Turns the end of a call into the result that its caller reads: status, exit code, and one clear sentence for each way
// to fail.
#pragma once

#include <string>
#include <string_view>

#include "core/job_result.h"
#include "sandbox/launcher.h"
#include "worker/instances/call_frame.h"

namespace infra::worker {

// Sets status, code and message, and makes the message the last line of stderr unless it is there already. Call it when
// stdout and stderr are set.
void set_failure(JobResult& result, RunStatus status, const Error& error, int exit_code);

// The returned value becomes the last line of stdout: strings as they are, all else as JSON, but None's nothing and
// Python's True and False as Python prints them.
void apply_answer(JobResult& result, Answer answer, Runtime runtime);
void apply_timeout(JobResult& result, const Job& job);
void apply_exit(JobResult& result, const sandbox::SandboxExit& exit, int memory_mb);
void apply_broken(JobResult& result, std::string_view detail = {});  // `detail` is a sentence
// An answer that was not taken: as broken, or by its own code where that says more.
void apply_refusal(JobResult& result, const Error& why);

// Memory, cgroup's or V8's own limit. `exit` as for apply_exit().
[[nodiscard]] bool ran_out_of_memory(const JobResult& result, const sandbox::SandboxExit& exit);

}  // namespace infra::worker
