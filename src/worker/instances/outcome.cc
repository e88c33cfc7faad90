#include "worker/instances/outcome.h"

#include <fmt/format.h>
#include <signal.h>
#include <string.h>

#include "core/error_codes.h"

namespace infra::worker {
namespace {

constexpr int kFailed = 1;
constexpr int kTimedOut = 124;   // as timeout(1) of coreutils has it
constexpr int kSignalled = 128;  // plus the signal, as a shell has it

void append_line(std::string& text, std::string_view line) {
  text.reserve(text.size() + 1 + line.size());  // growing by steps would take twice that
  if (!text.empty() && text.back() != '\n') text += '\n';
  text += line;
}

std::string_view printed(const Answer& answer, Runtime runtime) {
  if (answer.text) return *answer.text;
  if (answer.value == "true") return traits_of(runtime).true_text;
  if (answer.value == "false") return traits_of(runtime).false_text;
  return answer.value;
}

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? std::to_string(signal) : fmt::format("{} (SIG{})", signal, name);
}

}  // namespace

void set_failure(JobResult& result, RunStatus status, const Error& error, int exit_code) {
  result.status = status;
  result.exit_code = exit_code;
  result.error_code = error.code;
  if (result.err.find(error.message) == std::string::npos) append_line(result.err, error.message);
  result.error_message = error.message;
}

void apply_answer(JobResult& result, Answer answer, Runtime runtime) {
  result.handler_ms = answer.handler_ms;
  if (!answer.ok) return set_failure(result, RunStatus::failed, {*answer.failure, answer.message}, kFailed);
  if (answer.plain && answer.exit_code != 0) {
    const int signal = answer.exit_code - kSignalled;  // as the runner tells of one
    if (signal > 0 && sigabbrev_np(signal) != nullptr) {
      return set_failure(result, RunStatus::failed,
                         {errors::crashed, fmt::format("The program was ended by signal {}.", signal_name(signal))},
                         answer.exit_code);
    }
    return set_failure(result, RunStatus::failed,
                       {errors::exited, fmt::format("The program ended with exit code {}.", answer.exit_code)},
                       answer.exit_code);
  }
  result.status = RunStatus::success;
  const bool is_nothing = answer.value == "null";
  if (answer.text && result.out.empty()) {
    result.out = std::move(*answer.text);
  } else if (!is_nothing) {
    append_line(result.out, printed(answer, runtime));
  }
  result.value = std::move(answer.value);
}

void apply_timeout(JobResult& result, const Job& job) {
  result.handler_ms = static_cast<double>(job.timeout.count());  // its time began with the call, so it is known
  set_failure(result, RunStatus::timeout,
              {errors::timeout, fmt::format("The function did not finish within its {} ms.", job.timeout.count())},
              kTimedOut);
}

bool ran_out_of_memory(const JobResult& result, const sandbox::SandboxExit& exit) {
  const bool v8_gave_up = exit.signal == SIGABRT && result.err.find("heap out of memory") != std::string::npos;
  return exit.out_of_memory || v8_gave_up;
}

void apply_exit(JobResult& result, const sandbox::SandboxExit& exit, int memory_mb) {
  if (ran_out_of_memory(result, exit)) {
    set_failure(result, RunStatus::failed,
                {errors::out_of_memory, fmt::format("The function used more than its {} MB of memory.", memory_mb)},
                kSignalled + SIGKILL);
  } else if (exit.exited) {
    set_failure(result, RunStatus::failed,
                {errors::exited, fmt::format("The function's process ended with exit code {} before it gave a result.",
                                             exit.exit_code)},
                exit.exit_code != 0 ? exit.exit_code : kFailed);
  } else {
    set_failure(
        result, RunStatus::failed,
        {errors::crashed, fmt::format("The function's process was ended by signal {}.", signal_name(exit.signal))},
        kSignalled + exit.signal);
  }
}

void apply_broken(JobResult& result, std::string_view detail) {
  set_failure(result, RunStatus::failed,
              {errors::runner_broken,
               fmt::format("The function disturbed the process that runs it, and its answer could not be read.{}{}",
                           detail.empty() ? "" : " ", detail)},
              kFailed);
}

void apply_refusal(JobResult& result, const Error& why) {
  if (why.code == errors::runner_broken) return apply_broken(result, why.message);
  set_failure(result, RunStatus::failed, why, kFailed);
}

}  // namespace infra::worker
