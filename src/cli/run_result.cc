#include "cli/run_result.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "cli/json_view.h"
#include "core/json_members.h"
#include "core/json_value.h"
#include "core/text.h"

namespace infra::cli {
namespace {

constexpr std::size_t kStderrLines = 20;

std::string_view last_lines(std::string_view text, std::size_t count) {
  text = trim(text, "\r\n");
  std::size_t begin = text.size();
  for (std::size_t i = 0; i < count && begin != std::string_view::npos && begin > 0; ++i)
    begin = text.rfind('\n', begin - 1);
  return begin == std::string_view::npos || begin == 0 ? text : text.substr(begin + 1);
}

std::string summary(const boost::json::object& object, std::string_view id) {
  std::string text = fmt::format("{} in {}", text_of(object, "status"), milliseconds_shown(object, "durationMs"));
  if (const auto peak = number_of(object, "peakMemoryBytes"))
    text += fmt::format(", {} of {} MB", size_text(*peak), shown(object, "allocatedMemoryMb"));
  if (const auto* cold = object.if_contains("coldStart"); cold != nullptr && cold->is_bool() && cold->get_bool())
    text += ", cold start";
  return fmt::format("{}, request {}", text, id);
}

void show_files(const Output& output, const boost::json::object& object, std::string_view id) {
  std::string names;
  if (const auto* files = object.if_contains("outputFiles")) {
    for_each_object(*files, [&](const boost::json::object& file) {
      names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", printable(text_of(file, "name"), false),
                           size_text(number_of(file, "size").value_or(0)));
    });
  }
  if (!names.empty()) output.note(fmt::format("files: {}; infra files {} -o DIR", names, id));
}

std::string for_terminal(std::string_view text, int descriptor) {
  return isatty(descriptor) == 1 ? printable(text) : std::string(text);
}

bool is_shown(std::string_view text, std::string_view lines) {
  return !lines.empty() && trim(text, "\r\n") == trim(lines, "\r\n");
}

void show_beside(const Output& output, std::string_view text, std::string_view shown) {
  if (text.empty() || is_shown(text, shown)) return;
  if (!shown.empty()) output.note("Not all of it came as it was printed; this is the whole:");
  output.note(for_terminal(text, STDERR_FILENO));
}

}  // namespace

std::string_view printed_part(std::string_view stdout_text, std::string_view result) {
  if (result.empty() || result == "null") return stdout_text;
  std::string_view before = stdout_text;
  while (before.ends_with('\n')) before.remove_suffix(1);
  if (const auto value = parse_json(result); value && value->is_string()) {
    const std::string_view text(value->get_string());
    std::string_view shown = text;
    while (shown.ends_with('\n')) shown.remove_suffix(1);
    if (before.ends_with(shown)) return before.substr(0, before.size() - shown.size());
    return stdout_text;
  }
  const auto line = before.rfind('\n') + 1;  // 0 if it is the only one
  const auto last = before.substr(line);
  // Runtimes write the same value each in their way: True, or other white space.
  const bool is_value = parse_json(last) == parse_json(result) || ascii_lower(last) == result;
  return is_value ? before.substr(0, line) : stdout_text;
}

Outcome<Exit> show_result(const Output& output, std::string_view text, std::string_view function,
                          const ShownLines& shown) {
  const auto members = RawObject::read(text);
  const auto value = parse_json(text);
  if (!members || !value || !value->is_object()) {
    return failed({.exit = Exit::platform_failed, .message = "The platform's answer is no result of a run."});
  }
  const auto& object = value->get_object();
  const std::string id = text_of(object, "requestId");
  const std::string status = text_of(object, "status");
  const std::string printed = text_of(object, "stdout");
  const std::string errors = text_of(object, "stderr");
  const bool success = status == "SUCCESS";
  if (output.json()) {
    output.print(text);
  } else {
    const std::string_view result = members->text("result").value_or("null");
    const bool has_result = result != "null";
    const auto beside = has_result || !success ? printed_part(printed, result) : std::string_view();
    show_beside(output, beside, shown.out);
    if (success) show_beside(output, errors, shown.err);
    const bool is_all = is_shown(printed, shown.out);
    if (success) output.print(has_result || printed.empty() || is_all ? result : for_terminal(printed, STDOUT_FILENO));
    show_files(output, object, id);
    output.note(output.styled_on_stderr(summary(object, id), success ? Style::dim : Style::red));
  }
  if (success) return Exit::ok;
  return failed({.exit = status == "ERROR" ? Exit::platform_failed : Exit::function_failed,
                 .message = text_of(object, "error"),
                 .next = fmt::format("infra logs {} --request {}", function, id),
                 .code = text_of(object, "code"),
                 .request_id = id,
                 .stderr_end = std::string(last_lines(errors, kStderrLines))});
}

Outcome<std::string> await_result(Api& api, std::string_view job) {
  constexpr std::chrono::milliseconds kLongestPause{500};
  std::chrono::milliseconds pause{10};
  while (true) {
    auto answer = api.get(fmt::format("/status/{}", net::percent_encode(job)));
    if (!answer) return failed(std::move(answer.error()));
    const auto* object = answer->json.if_object();
    if (object == nullptr || text_of(*object, "status") != "pending") return std::move(answer->text);
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
}

}  // namespace infra::cli
