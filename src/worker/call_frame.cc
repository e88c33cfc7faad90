#include "worker/call_frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>

#include "core/job_result.h"
#include "core/json_text.h"
#include "core/json_value.h"
#include "core/text.h"

namespace infra::worker {
namespace {

namespace json = boost::json;

// Linux takes at most 128 KiB in one environment variable (MAX_ARG_STRLEN in execve(2)); larger input is left to the
// runner.
constexpr std::size_t kMaxPayloadVariable = 100 * 1024;
constexpr std::size_t kMaxDepth = 500;
constexpr std::size_t kMaxMessage = 16 * 1024;
constexpr std::array<std::string_view, 6> kFailures = {"import_error",    "handler_missing",  "handler_error",
                                                       "result_not_json", "result_too_large", "exited"};

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

// Skips a string that starts at `at`; gives the place behind its closing quote.
std::size_t after_string(std::string_view text, std::size_t at) {
  for (++at; text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

// The text of a member of an object that has been found valid, so that its numbers stay as they were written.
std::string_view member_text(std::string_view object, std::string_view name) {
  int depth = 0;
  std::string_view key;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < object.size();) {
    const char c = object[at];
    if (c == '"') {
      const std::size_t end = after_string(object, at);
      if (depth == 1 && begin == 0) key = object.substr(at + 1, end - at - 2);
      at = end;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (depth == 1 && c == ':') begin = at + 1;
    if ((depth == 1 && c == ',') || depth == 0) {
      if (key == name && begin != 0) return object.substr(begin, at - begin);
      begin = 0;
    }
    ++at;
  }
  return {};
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

bool is_true(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::optional<double> time_of(const json::object& object) {
  const auto* value = object.if_contains("handlerMs");
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const double time = value->to_number<double>();
  return std::isfinite(time) && time >= 0 && time < 1e9 ? std::optional(time) : std::nullopt;
}

std::unexpected<Error> no_answer(std::string why) {
  return fail(ErrorKind::invalid, "runner_broken", std::move(why));
}

Result<json::value> parse_frame(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::system::error_code broken;
  json::value parsed = json::parse(text, broken, json::make_shared_resource<json::monotonic_resource>(), options);
  if (broken == json::error::too_deep) {
    return fail(ErrorKind::too_large, "result_not_json",
                fmt::format("The function's result is nested more than {} levels deep.", kMaxDepth - 1));
  }
  if (broken || !parsed.is_object()) return no_answer("The answer is not a JSON object.");
  return parsed;
}

Result<Answer> read_failure(const json::object& object, Answer answer) {
  answer.code = text_of(object, "code");
  if (std::ranges::find(kFailures, answer.code) == kFailures.end()) return no_answer("The answer has an unknown code.");
  answer.message = cut_utf8(text_of(object, "message"), kMaxMessage);
  answer.reusable = is_true(object, "reusable");
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
  const auto parsed = parse_frame(text);
  if (!parsed) return fail(parsed.error());
  const auto& object = parsed->get_object();
  if (text_of(object, "requestId") != request_id.value) return no_answer("The answer is not this call's.");
  Answer answer;
  answer.handler_ms = time_of(object);
  if (text_of(object, "left") == to_string(Leftover::threads)) answer.left = Leftover::threads;
  if (!is_true(object, "ok")) return read_failure(object, std::move(answer));
  answer.ok = answer.reusable = true;
  answer.plain = is_true(object, "plain");
  if (answer.plain) {
    const auto* code = object.if_contains("exitCode");
    if (code == nullptr || !code->is_int64()) return no_answer("A script's answer has no exit code.");
    answer.exit_code = static_cast<int>(code->get_int64() & 0xff);  // wait(2) has no more
    answer.reusable = !object.contains("reusable") || is_true(object, "reusable");
    return answer;
  }
  const auto* value = object.if_contains("value");
  if (value == nullptr) return no_answer("The answer has no value.");
  answer.value = trimmed(member_text(text, "value"));
  if (answer.value.empty()) return no_answer("The value's name is not written plainly.");
  if (answer.value.size() > limits::kMaxResultBytes)
    return no_answer("The result is larger than a runner lets through.");
  if (value->is_string()) answer.text = std::string(value->get_string());
  return answer;
}

}  // namespace infra::worker
