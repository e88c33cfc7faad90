#include "worker/instances/call_frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/error_codes.h"
#include "core/json_members.h"
#include "core/json_scalar.h"
#include "core/json_text.h"
#include "core/text.h"

namespace infra::worker {
namespace {

// Linux takes at most 128 KiB in one environment variable (MAX_ARG_STRLEN in execve(2)); larger input is left to the
// runner.
constexpr std::size_t kMaxPayloadVariable = 100 * 1024;
constexpr std::size_t kMaxMessage = 16 * 1024;
constexpr std::size_t kMaxWord = 256;
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
  if (!job.traceparent.empty()) env["TRACEPARENT"] = job.traceparent;
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

std::optional<double> time_of(const RawObject& frame) {
  const auto time = frame.number("handlerMs");
  return time && *time >= 0 && *time < 1e9 ? time : std::nullopt;
}

std::unexpected<Error> no_answer(std::string why) {
  return fail(errors::runner_broken, std::move(why));
}

// A text of the protocol's own words; another one has no meaning, however long it is.
std::string word_of(const RawObject& frame, std::string_view name) {
  return json_string_value(frame.text(name).value_or(""), kMaxWord).value_or("");
}

Result<Answer> read_failure(const RawObject& frame, Answer answer) {
  const std::string code = word_of(frame, "code");
  const auto known = std::ranges::find_if(kFailures, [&](const ErrorEntry* entry) { return code == *entry; });
  if (known == kFailures.end()) return no_answer("The answer has an unknown code.");
  answer.failure = *known;
  answer.message = json_string_value(frame.text("message").value_or(""), kMaxMessage).value_or("");
  answer.reusable = frame.is_true("reusable");
  return answer;
}

}  // namespace

std::string to_json(const CallFrame& call) {
  const Job& job = call.job;
  return fmt::format(
      R"({{{}"requestId":{},"functionId":{},{}"modelId":{},"memoryMb":{},"deadlineMs":{},"timeoutMs":{},"env":{{{}}},"input":{}}})",
      call.only_load ? R"("load":true,)" : "", json_quote(job.request_id.value), json_quote(job.function_id.value),
      call.only_load || job.traceparent.empty() ? "" : fmt::format(R"("traceparent":{},)", json_quote(job.traceparent)),
      json_quote(call.model_id), job.memory_mb, call.deadline.time_since_epoch().count(), job.timeout.count(),
      members_of(environment_of(call)), job.input);
}

std::string to_start_json(const CallFrame& call) {
  return fmt::format(R"({{"env":{{{}}}}})", members_of(lasting_environment(call)));
}

Result<Answer> parse_answer(Frame whole, const RequestId& request_id) {
  const auto frame = RawObject::of(whole.text, whole.members);
  if (!frame) return no_answer("The answer has a member twice.");
  if (word_of(*frame, "requestId") != request_id.value) return no_answer("The answer is not this call's.");
  Answer answer;
  answer.handler_ms = time_of(*frame);
  if (word_of(*frame, "left") == to_string(Leftover::threads)) answer.left = Leftover::threads;
  if (!frame->is_true("ok")) return read_failure(*frame, std::move(answer));
  answer.ok = true;
  answer.reusable = !frame->text("reusable") || frame->is_true("reusable");
  answer.plain = frame->is_true("plain");
  if (answer.plain) {
    const auto code = parse_whole(frame->text("exitCode").value_or(""));
    if (!code) return no_answer("A script's answer has no exit code.");
    answer.exit_code = static_cast<int>(*code & 0xff);  // wait(2) has no more
    return answer;
  }
  const auto value = frame->text("value");
  if (!value) return no_answer("The answer has no value.");
  if (value->size() > limits::kMaxResultBytes) return no_answer("The result is larger than a runner lets through.");
  answer.text = json_string_value(*value);
  const auto begin = static_cast<std::size_t>(value->data() - whole.text.data());
  whole.text.resize(begin + value->size());
  whole.text.erase(0, begin);
  answer.value = std::move(whole.text);
  return answer;
}

}  // namespace infra::worker
