#include "worker/instances/call_frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error_codes.h"
#include "core/job_result.h"
#include "core/json_members.h"
#include "core/json_text.h"
#include "core/text.h"

namespace infra::worker {
namespace {

// Linux takes at most 128 KiB in one environment variable (MAX_ARG_STRLEN in execve(2)); larger input is left to the
// runner.
constexpr std::size_t kMaxPayloadVariable = 100 * 1024;
constexpr std::size_t kMaxMessage = 16 * 1024;
constexpr std::array kFailures = {&errors::import_error,    &errors::handler_missing,  &errors::handler_error,
                                  &errors::result_not_json, &errors::result_too_large, &errors::exited};

// What is there before any request.
Environment lasting_environment(const CallFrame& call) {
  const Job& job = call.job;
  Environment env = job.env;
  env["FUNCTION_ID"] = job.function_id.value;
  env["LLM_MODEL"] = call.model_id;
  env["MEMORY_MB"] = std::to_string(job.memory_mb);
  if (call.ai_port != 0) env["AI_ENDPOINT"] = fmt::format("http://127.0.0.1:{}", call.ai_port);
  return env;
}

Environment environment_of(const CallFrame& call) {
  const Job& job = call.job;
  Environment env = lasting_environment(call);
  if (call.only_load) return env;
  env["JOB_ID"] = job.request_id.value;
  if (job.input.size() <= kMaxPayloadVariable) env["PAYLOAD"] = job.input;
  return env;
}

// Without its braces.
std::string members_of(const Environment& env) {
  std::string members;
  for (const auto& [name, value] : env) {
    members += fmt::format("{}{}:{}", members.empty() ? "" : ",", json_quote(name), json_quote(value));
  }
  return members;
}

bool is_true(const RawObject& frame, std::string_view name) {
  return frame.text(name) == "true";
}

std::optional<double> time_of(const RawObject& frame) {
  const auto value = frame.value("handlerMs");
  if (!value.is_number()) return std::nullopt;
  const double time = value.to_number<double>();
  return std::isfinite(time) && time >= 0 && time < 1e9 ? std::optional(time) : std::nullopt;
}

std::unexpected<Error> no_answer(std::string why) {
  return fail(errors::runner_broken, std::move(why));
}

Result<RawObject> parse_frame(std::string_view text) {
  auto frame = RawObject::read(text);
  if (frame) return std::move(*frame);
  if (frame.error().problem == RawObject::Problem::too_deep) {
    return fail(errors::result_not_json,
                fmt::format("The function's result is nested more than {} levels deep.", kMaxJsonDepth));
  }
  return no_answer("The answer is not a JSON object.");
}

Result<Answer> read_failure(const RawObject& frame, Answer answer) {
  const std::string code = frame.string("code");
  const auto known = std::ranges::find_if(kFailures, [&](const ErrorEntry* entry) { return code == *entry; });
  if (known == kFailures.end()) return no_answer("The answer has an unknown code.");
  answer.failure = *known;
  answer.message = cut_utf8(frame.string("message"), kMaxMessage);
  answer.reusable = is_true(frame, "reusable");
  return answer;
}

}  // namespace

std::string to_json(const CallFrame& call) {
  const Job& job = call.job;
  return fmt::format(
      R"({{{}"requestId":{},"functionId":{},"modelId":{},"memoryMb":{},"deadlineMs":{},"timeoutMs":{},"env":{{{}}},"input":{}}})",
      call.only_load ? R"("load":true,)" : "", json_quote(job.request_id.value), json_quote(job.function_id.value),
      json_quote(call.model_id), job.memory_mb, call.deadline.time_since_epoch().count(), job.timeout.count(),
      members_of(environment_of(call)), job.input);
}

std::string to_start_json(const CallFrame& call) {
  return fmt::format(R"({{"env":{{{}}}}})", members_of(lasting_environment(call)));
}

Result<Answer> parse_answer(std::string_view text, const RequestId& request_id) {
  const auto frame = parse_frame(text);
  if (!frame) return fail(frame.error());
  if (frame->string("requestId") != request_id.value) return no_answer("The answer is not this call's.");
  Answer answer;
  answer.handler_ms = time_of(*frame);
  if (frame->string("left") == to_string(Leftover::threads)) answer.left = Leftover::threads;
  if (!is_true(*frame, "ok")) return read_failure(*frame, std::move(answer));
  answer.ok = true;
  answer.reusable = !frame->text("reusable") || is_true(*frame, "reusable");
  answer.plain = is_true(*frame, "plain");
  if (answer.plain) {
    const auto code = frame->value("exitCode");
    if (!code.is_int64()) return no_answer("A script's answer has no exit code.");
    answer.exit_code = static_cast<int>(code.get_int64() & 0xff);  // wait(2) has no more
    return answer;
  }
  const auto value = frame->text("value");
  if (!value) return no_answer("The answer has no value.");
  answer.value = *value;
  if (answer.value.size() > limits::kMaxResultBytes)
    return no_answer("The result is larger than a runner lets through.");
  if (value->starts_with('"')) answer.text = frame->string("value");
  return answer;
}

}  // namespace infra::worker
