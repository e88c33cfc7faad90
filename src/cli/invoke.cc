// infra invoke and infra status: a run, and what came of it.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "cli/run_commands.h"
#include "cli/run_result.h"
#include "cli/session.h"
#include "cli/tail.h"
#include "core/json_text.h"
#include "core/json_value.h"
#include "core/limits.h"

namespace infra::cli {
namespace {

constexpr milliseconds kPatience = limits::kSyncWait + std::chrono::seconds{20};  // the platform answers before

Outcome<std::string> read_input(const std::optional<std::string>& data) {
  if (!data) return "null";
  std::string text = *data;
  if (text == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else if (text.starts_with('@')) {
    std::ifstream file(text.substr(1), std::ios::binary);
    if (!file) return wrong_usage(fmt::format("{} can't be read: {}.", text.substr(1), std::strerror(errno)));
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  if (!parse_json(text)) {
    return wrong_usage("The input is no JSON; a text needs quotes: -d '\"text\"'.", "infra invoke --help");
  }
  return text;
}

// The job of a run that goes on though nobody waits; empty if there is none.
std::string job_of(const Answer& answer) {
  const auto* object = answer.json.if_object();
  return object == nullptr ? std::string() : text_of(*object, "jobId");
}

Outcome<Exit> tail(Session& session, Api& api, const net::BlockingCall& call, const std::string& name) {
  const auto events = session.connect();  // one stream, and requests beside it
  if (!events) return failed(events.error());
  const auto run = run_and_tail(api, **events, session.output, name, [&]() -> Outcome<std::string> {
    auto answer = api.succeeded(api.send(call, "/run"));
    if (!answer) return failed(std::move(answer.error()));
    return job_of(*answer);
  });
  if (!run) return failed(run.error());
  return show_result(session.output, run->result, name, run->shown);
}

}  // namespace

Outcome<Exit> run_invoke(Session& session) {
  const Arguments& arguments = session.arguments;
  const std::string name = arguments.word(0);
  auto input = read_input(arguments.value("--data"));
  if (!input) return failed(std::move(input.error()));
  const bool async = arguments.has("--async");
  const bool tails = arguments.has("--tail");
  if (async && tails) return wrong_usage("--tail waits for the end of the run, and --async does not: leave one out.");
  auto api = session.connect();
  if (!api) return failed(std::move(api.error()));

  net::BlockingCall call{.method = "POST", .timeout = kPatience};
  call.headers.set("Content-Type", "application/json");
  if (async || tails) call.headers.set("x-async", "true");
  call.body = fmt::format(R"({{"functionId":{},"inputData":{})", json_quote(reference(name)), *input);
  if (const auto model = arguments.value("--model")) call.body += fmt::format(R"(,"modelId":{})", json_quote(*model));
  call.body += "}";
  if (tails) return tail(session, **api, call, name);
  auto answer = (*api)->send(std::move(call), "/run");
  if (!answer) return failed(std::move(answer.error()));

  const std::string job = job_of(*answer);
  const bool goes_on = !job.empty();
  if (goes_on && arguments.has("--wait")) {
    const auto result = await_result(**api, job);
    if (!result) return failed(result.error());
    return show_result(session.output, *result, name);
  }
  if (answer->status == 202) {
    session.output.print(session.output.json() ? answer->text : job);
    session.output.note(fmt::format("next: infra status {} --wait", job));
    return Exit::ok;
  }
  const auto* object = answer->json.if_object();
  if (object != nullptr && object->contains("status") && object->contains("requestId"))
    return show_result(session.output, answer->text, name);
  auto checked = (*api)->succeeded(std::move(answer));
  if (!checked && goes_on) checked.error().next = fmt::format("infra status {} --wait", job);
  if (!checked) return failed(std::move(checked.error()));
  return show_result(session.output, checked->text, name);
}

Outcome<Exit> run_status(Session& session) {
  auto api = session.connect();
  if (!api) return failed(std::move(api.error()));
  const std::string job = session.arguments.word(0);
  std::string text;
  if (session.arguments.has("--wait")) {
    auto result = await_result(**api, job);
    if (!result) return failed(std::move(result.error()));
    text = std::move(*result);
  } else {
    auto answer = (*api)->get("/status/" + net::percent_encode(job));
    if (!answer) return failed(std::move(answer.error()));
    text = std::move(answer->text);
  }
  const auto value = parse_json(text).value_or(nullptr);
  const auto* object = value.if_object();
  if (object != nullptr && text_of(*object, "status") == "pending") {
    session.output.print(session.output.json() ? text : "pending");
    session.output.note(fmt::format("next: infra status {} --wait", job));
    return Exit::ok;
  }
  return show_result(session.output, text, object == nullptr ? "NAME" : text_of(*object, "functionId"));
}

}  // namespace infra::cli
