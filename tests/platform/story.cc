#include "platform/story.h"

#include <boost/json.hpp>
#include <exception>
#include <utility>

#include "telemetry/task_failures.h"

namespace infra::sim {
namespace {

using End = FunctionPlan::End;
using Kind = Step::Kind;
using std::chrono::milliseconds;

constexpr int kQuestions = 4;

}  // namespace

Outcome Story::play() {
  const auto failures_before = task_failures();
  try {
    go();
  } catch (const std::exception& error) {
    oracle().complain(error.what());
  }
  for (const auto& [words, count] : task_failures()) {
    const auto before = failures_before.find(words);
    if (before == failures_before.end() || before->second != count)
      oracle().complain(fmt::format("an exception has left the task \"{}\"", words));
  }
  Outcome outcome{.complaints = oracle().complaints(),
                  .trace = std::move(trace_),
                  .fingerprint = scheduler().fingerprint(),
                  .steps = scheduler().steps()};
  outcome.losses = oracle().losses;
  for (const auto& [number, job] : oracle().jobs) {
    outcome.runs += job.status == 202 || job.status == 200 ? 1 : 0;
    outcome.starts += static_cast<int>(job.starts.size());
  }
  return outcome;
}

void Story::note(const std::string& what) {
  trace_.push_back(fmt::format("{:>12.3f} ms  {}", static_cast<double>(scheduler().now().count()) / 1e6, what));
}

std::optional<int> Story::number_of(const FunctionCall& call) {
  boost::system::error_code error;
  const auto input = boost::json::parse(call.input, error);
  if (error || !input.is_object()) return std::nullopt;
  const auto* number = input.get_object().if_contains("n");
  return number == nullptr ? std::nullopt : std::optional(number->to_number<int>());
}

FunctionPlan Story::plan_for(const Step& step, const FunctionCall& call) {
  FunctionPlan plan{.takes = step.takes, .prints = "hello\n", .end = step.end, .ends_after = step.ends_after};
  if (step.end == End::value) plan.text = "\"" + call.code + "\"";
  if (step.end == End::error || step.end == End::garbage) plan.text = "as the scenario has it";
  if (step.end == End::exit) plan.code = 3;
  if (step.end == End::killed) plan.code = 11;
  plan.processes_left = step.leaves_process ? 1 : 0;
  return plan;
}

void Story::start(Task<void> task) {
  ++open_;
  world().executor().spawn("client", [](Story& story, Task<void> work) -> Task<void> {
    co_await std::move(work);
    --story.open_;
  }(*this, std::move(task)));
}

void Story::begin(const Step& step) {
  switch (step.kind) {
    case Kind::upload:
    case Kind::update:
      return start(change(step));
    case Kind::remove:
      return start(remove(step));
    case Kind::run_sync:
    case Kind::run_async:
      return start(run(step));
    default:
      return befall(step);
  }
}

std::optional<std::size_t> Story::function_of(const Step& step) {
  const auto found = current_.find(step.function);
  if (found == current_.end() || oracle().functions.at(found->second).id.empty()) return std::nullopt;
  return found->second;
}

// An upload makes another function of that number from then on; an update gives the one there is new code.
Task<void> Story::change(Step step) {
  const bool makes = step.kind == Kind::upload;
  if (makes) current_[step.function] = oracle().add_function();
  const auto known = makes ? std::optional(current_.at(step.function)) : function_of(step);
  if (!known) co_return;
  const std::size_t index = *known;
  const std::string id = oracle().functions.at(index).id;
  SentVersion version{.code = fmt::format("f{}v{}", index, ++codes_), .sent = scheduler().now()};
  Upload upload{.name = version.code, .code = version.code};
  if (makes) {  // a form changes code alone; settings come as JSON
    version.max_concurrency = step.max_concurrency;
    version.timeout = step.timeout;
    if (step.max_concurrency > 0) upload.settings.emplace_back("maxConcurrency", std::to_string(step.max_concurrency));
    if (step.keep_warm > 0) upload.settings.emplace_back("keepWarm", std::to_string(step.keep_warm));
    if (step.timeout.count() > 0) upload.settings.emplace_back("timeoutMs", std::to_string(step.timeout.count()));
  }
  oracle().functions.at(index).versions.push_back(version);
  const std::size_t number = oracle().functions.at(index).versions.size() - 1;
  say("#{} sends {}", step.number, version.code);
  const Answer answer =
      co_await send(step, [&](Client& client) { return makes ? client.upload(upload) : client.update(id, upload); });
  say("#{} is answered {} {}", step.number, answer.status, answer.text("code"));
  if (answer.text("code") == "internal") oracle().complain(fmt::format("#{} met an internal error", step.number));
  KnownFunction& function = oracle().functions.at(index);
  SentVersion& sent = function.versions.at(number);
  sent.accepted = answer.status == 200;
  sent.unknown = may_have_happened(answer);
  sent.answered = scheduler().now() + (sent.unknown ? undecided_for() : WorldTime{0});
  if (makes) function.id = answer.text("functionId");
}

Task<void> Story::remove(Step step) {
  const auto index = function_of(step);
  if (!index) co_return;
  const std::string id = oracle().functions.at(*index).id;
  say("#{} deletes f{}", step.number, *index);
  const Answer answer = co_await send(step, [&](Client& client) { return client.remove(id); });
  say("#{} is answered {} {}", step.number, answer.status, answer.text("code"));
  KnownFunction& function = oracle().functions.at(*index);
  if ((answer.status == 200 || answer.status == 404) && !function.removed) function.removed = scheduler().now();
  if (may_have_happened(answer)) function.maybe_removed = true;
}

Task<void> Story::run(Step step) {
  const auto index = function_of(step);
  if (!index) co_return;
  const std::string id = oracle().functions.at(*index).id;
  oracle().add_job(step, *index);
  const bool async = step.kind == Kind::run_async;
  say("#{} runs f{}{}", step.number, *index, async ? " async" : "");
  const std::string input = fmt::format(R"({{"n":{}}})", step.number);
  const Answer answer = co_await send(step, [&](Client& client) { return client.run(id, input, async); });
  say("#{} is answered {} {} {}", step.number, answer.status, answer.text("status"), answer.text("code"));
  oracle().answered(step.number, answer);
  heard(step, answer);
}

Task<void> Story::ask_for_results() {
  for (auto& [number, job] : oracle().jobs) {
    if (!job.goes_on()) continue;
    const std::string request = job.request;
    const Answer answer = co_await ask([&](Client& client) { return client.get("/status/" + request); });
    const std::string status = answer.text("status");
    say("#{} is asked for: {} {} {}", number, answer.status, status, answer.text("code"));
    if (answer.status == 200 && status != "pending") {
      oracle().heard(number, status);
    } else {
      heard_no_result(number, job, answer);
    }
  }
}

Task<void> Story::look_at_functions() {
  for (std::size_t index = 0; index < oracle().functions.size(); ++index) {
    const KnownFunction& function = oracle().functions.at(index);
    const std::string id = function.id;
    if (id.empty()) continue;
    const Answer row = co_await ask([&](Client& client) { return client.get("/functions/" + id); });
    if (row.status == 404) {
      if (!function.removed && !function.maybe_removed) oracle().complain(fmt::format("f{} is gone", index));
      continue;
    }
    if (function.removed) oracle().complain(fmt::format("f{} is there though it was deleted", index));
    const Answer rows =
        co_await ask([&](Client& client) { return client.get("/functions/" + id + "/logs?limit=1000"); });
    boost::system::error_code error;
    const auto list = boost::json::parse(rows.body, error);
    if (error || !list.is_array() || !row.json().contains("invocations")) {
      oracle().complain(fmt::format("f{} has no log: {} {}", index, row.body, rows.body));
    } else {
      check_rows(index, list.get_array(), row.json().at("invocations").to_number<std::int64_t>());
    }
    co_await question(index);
  }
}

// In peace each function answers at once, as its last version: permits, slots and memory have come back.
Task<void> Story::question(std::size_t index) {
  const auto codes = oracle().possible_codes(index);
  const std::string id = oracle().functions.at(index).id;
  for (int i = 0; i < kQuestions; ++i) {
    const WorldTime sent = scheduler().now();
    const Answer answer = co_await ask_to_run([&](Client& client) { return client.run(id, "{}"); });
    if (answer.text("code") == "function_quarantined" && may_be_quarantined()) co_return;
    const std::string ran = answer.text("result");
    const WorldTime took = scheduler().now() - sent;
    say("f{} answers {} {}", index, answer.status, ran);
    if (!codes.contains(ran))
      oracle().complain(
          fmt::format("f{} answers {} {}, and not as its last version", index, answer.status, answer.body));
    if (took > at_once_)
      oracle().complain(fmt::format("f{} answers after {} ms, though all is quiet", index, took.count() / 1'000'000));
  }
}

}  // namespace infra::sim
