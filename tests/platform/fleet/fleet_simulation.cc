#include "platform/fleet/fleet_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <map>
#include <optional>

#include "platform/fleet/fleet_oracle.h"
#include "platform/fleet/fleet_settings.h"
#include "telemetry/log.h"
#include "telemetry/task_failures.h"

namespace infra::sim {
namespace {

using End = FunctionPlan::End;
using Kind = Step::Kind;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr WorldTime kRestart = milliseconds(1500);   // as a service manager does
constexpr WorldTime kKillerIsDone = minutes(2);      // three leases run out
constexpr WorldTime kQuiet = std::chrono::hours(1);  // what all that was accepted is settled within
constexpr WorldTime kAsk = seconds(3);
constexpr WorldTime kUncertain = minutes(1);       // what a 503 left undecided is decided
constexpr WorldTime kPlacesAreFree = seconds(70);  // of dead workers, and messages that come again are gone
constexpr int kQuestions = 4;
constexpr WorldTime kAtOnce = seconds(4);  // a cold start takes some 200 ms when the faults are over

class FleetPlay {
 public:
  FleetPlay(const Scenario& scenario, bool with_trace)
      : scenario_(scenario), with_trace_(with_trace), world_(scenario.course, own_options()) {
    scheduler().set_disorder(scenario.has(Fault::disorder) ? 1 : 0);
    for (std::size_t worker = 0; worker < world_.workers(); ++worker) {
      MemoryFunctions& functions = world_.functions_of_worker(worker);
      const int name = static_cast<int>(worker);
      functions.add_for_others([this, name](const FunctionCall& call) { return obey(call, name); });
      functions.watch_ends([this, name](const FunctionCall& call) {
        const auto number = number_of(call);
        if (!number) return;
        say(fmt::format("run #{} is over in {} at worker {}", *number, call.code, name));
        oracle_.ends(call, *number, name);
      });
    }
  }

  Outcome play() {
    const auto failures_before = task_failures();
    try {
      go();
    } catch (const std::exception& error) {
      oracle_.complain(error.what());
    }
    for (const auto& [words, count] : task_failures()) {
      const auto before = failures_before.find(words);
      if (before == failures_before.end() || before->second != count)
        oracle_.complain(fmt::format("an exception has left the task \"{}\"", words));
    }
    Outcome outcome{.complaints = oracle_.complaints(),
                    .trace = std::move(trace_),
                    .fingerprint = scheduler().fingerprint(),
                    .steps = scheduler().steps()};
    outcome.losses = oracle_.losses;
    for (const auto& [number, job] : oracle_.jobs) {
      outcome.runs += job.status == 202 || job.status == 200 ? 1 : 0;
      outcome.starts += static_cast<int>(job.starts.size());
    }
    return outcome;
  }

 private:
  struct Machine {
    int loses_in = -1;  // steps until its program is lost
    std::optional<WorldTime> boots_at{};
    std::optional<WorldTime> heals_at{};  // if it is cut off
  };

  FleetOptions own_options() {
    FleetOptions options = fleet_options_for(scenario_, dice_, faults_over_);
    options.complain = [this](const std::string& words) { oracle_.complain(words); };
    return options;
  }
  Scheduler& scheduler() { return world_.world().scheduler(); }
  FleetMachine& machine(std::size_t i) { return *world_.machines().at(i); }
  void say(const std::string& what) {
    if (with_trace_)
      trace_.push_back(fmt::format("{:>12.3f} ms  {}", static_cast<double>(scheduler().now().count()) / 1e6, what));
  }
  static std::optional<int> number_of(const FunctionCall& call) {
    boost::system::error_code error;
    const auto input = boost::json::parse(call.input, error);
    if (error || !input.is_object()) return std::nullopt;
    const auto* number = input.get_object().if_contains("n");
    return number == nullptr ? std::nullopt : std::optional(number->to_number<int>());
  }

  FunctionPlan obey(const FunctionCall& call, int worker);
  Task<Answer> ask(std::function<Task<Answer>(Client&)> request);
  Task<void> change(Step step);
  Task<void> run(Step step);
  Task<void> remove(Step step);
  void begin(const Step& step);
  void befall(const Step& step);
  void cut_off(std::size_t index, WorldTime time);
  void pass(WorldTime until);
  void tend(std::size_t index);
  [[nodiscard]] bool anyone_loses() const {
    return std::ranges::any_of(machines_, [](const Machine& one) { return one.loses_in >= 0; });
  }
  [[nodiscard]] bool all_serve() {
    return std::ranges::all_of(world_.machines(), [](const auto& one) { return one->serves() && !one->stops(); });
  }
  [[nodiscard]] bool all_is_settled();
  void go();
  void end_all_faults();
  void come_to_rest();
  Task<void> ask_for_results();
  Task<void> look_at_functions();
  Task<void> question(std::size_t index);

  const Scenario& scenario_;
  const bool with_trace_;
  std::vector<std::string> trace_;
  bool faults_over_ = false;
  std::shared_ptr<Dice> dice_ = std::make_shared<Dice>(Dice(scenario_.course).apart("launches"));
  Dice balancer_ = Dice(scenario_.course).apart("load balancer");
  FleetWorld world_;
  FleetOracle oracle_{scheduler(), scenario_, world_.cloud()};
  std::vector<Machine> machines_{world_.machines().size()};
  std::map<int, std::size_t> current_;  // which of the oracle's functions a step's number means
  int codes_ = 0;
  int open_ = 0;  // client tasks under way
  WorldTime over_since_{0};
};

FunctionPlan FleetPlay::obey(const FunctionCall& call, int worker) {
  const auto number = number_of(call);
  if (call.loads) return {.takes = milliseconds(5)};
  if (!number) return {.text = "\"" + call.code + "\""};  // a question at the end
  say(fmt::format("run #{} begins in {} at worker {}", *number, call.code, worker));
  oracle_.begins(call, *number, worker);
  const auto found = oracle_.jobs.find(*number);
  if (found == oracle_.jobs.end()) return {};
  const Step& step = found->second.step;
  if (step.kills && !faults_over_)
    machines_.at(world_.controllers() + static_cast<std::size_t>(worker)).loses_in =
        static_cast<int>(world_.world().dice().below(30));
  FunctionPlan plan{.takes = step.takes, .prints = "hello\n", .end = step.end, .ends_after = step.ends_after};
  if (step.end == End::value) plan.text = "\"" + call.code + "\"";
  if (step.end == End::error || step.end == End::garbage) plan.text = "as the scenario has it";
  if (step.end == End::exit) plan.code = 3;
  if (step.end == End::killed) plan.code = 11;
  plan.processes_left = step.leaves_process ? 1 : 0;
  return plan;
}

// At any controller that listens, as a load balancer has it.
Task<Answer> FleetPlay::ask(std::function<Task<Answer>(Client&)> request) {
  const std::size_t first = balancer_.below(world_.controllers());
  Answer answer{.refused = true};
  for (std::size_t i = 0; i < world_.controllers() && answer.refused; ++i)
    answer = co_await request(world_.client((first + i) % world_.controllers()));
  co_return answer;
}

// An upload makes another function of that number from then on; an update gives the one there is new code.
Task<void> FleetPlay::change(Step step) {
  const bool makes = step.kind == Kind::upload;
  if (!makes && !current_.contains(step.function)) co_return;
  if (makes) current_[step.function] = oracle_.add_function();
  const std::size_t index = current_.at(step.function);
  const std::string id = oracle_.functions.at(index).id;
  if (!makes && id.empty()) co_return;
  SentVersion version{.code = fmt::format("f{}v{}", index, ++codes_), .sent = scheduler().now()};
  Upload upload{.name = version.code, .code = version.code};
  if (makes) {
    version.max_concurrency = step.max_concurrency;
    version.timeout = step.timeout;
    if (step.max_concurrency > 0) upload.settings.emplace_back("maxConcurrency", std::to_string(step.max_concurrency));
    if (step.keep_warm > 0) upload.settings.emplace_back("keepWarm", std::to_string(step.keep_warm));
    if (step.timeout.count() > 0) upload.settings.emplace_back("timeoutMs", std::to_string(step.timeout.count()));
  }
  oracle_.functions.at(index).versions.push_back(version);
  const std::size_t number = oracle_.functions.at(index).versions.size() - 1;
  say(fmt::format("#{} sends {}", step.number, version.code));
  const Answer answer =
      co_await ask([&](Client& client) { return makes ? client.upload(upload) : client.update(id, upload); });
  say(fmt::format("#{} is answered {} {}", step.number, answer.status, answer.text("code")));
  if (answer.text("code") == "internal") oracle_.complain(fmt::format("#{} met an internal error", step.number));
  KnownFunction& function = oracle_.functions.at(index);
  SentVersion& sent = function.versions.at(number);
  sent.accepted = answer.status == 200;
  sent.unknown = answer.status >= 500 || (answer.status == 0 && !answer.refused);
  // An upload that was answered 503 may have happened, or happen yet.
  sent.answered = scheduler().now() + (sent.unknown ? kUncertain : WorldTime{0});
  if (makes) function.id = answer.text("functionId");
}

Task<void> FleetPlay::remove(Step step) {
  if (!current_.contains(step.function)) co_return;
  const std::size_t index = current_.at(step.function);
  const std::string id = oracle_.functions.at(index).id;
  if (id.empty()) co_return;
  say(fmt::format("#{} deletes f{}", step.number, index));
  const Answer answer = co_await ask([&](Client& client) { return client.remove(id); });
  say(fmt::format("#{} is answered {} {}", step.number, answer.status, answer.text("code")));
  KnownFunction& function = oracle_.functions.at(index);
  if ((answer.status == 200 || answer.status == 404) && !function.removed) function.removed = scheduler().now();
  if (answer.status >= 500 || (answer.status == 0 && !answer.refused)) function.maybe_removed = true;
}

Task<void> FleetPlay::run(Step step) {
  if (!current_.contains(step.function)) co_return;
  const std::size_t index = current_.at(step.function);
  const std::string id = oracle_.functions.at(index).id;
  if (id.empty()) co_return;
  oracle_.add_job(step, index);
  const bool async = step.kind == Kind::run_async;
  say(fmt::format("#{} runs f{}{}", step.number, index, async ? " async" : ""));
  const std::string input = fmt::format(R"({{"n":{}}})", step.number);
  const Answer answer = co_await ask([&](Client& client) { return client.run(id, input, async); });
  say(fmt::format("#{} is answered {} {} {}", step.number, answer.status, answer.text("status"), answer.text("code")));
  oracle_.answered(step.number, answer);
  if (answer.status == 500 && answer.text("status") == "ERROR") oracle_.heard(step.number, "ERROR");
}

void FleetPlay::begin(const Step& step) {
  const auto start = [&](Task<void> task) {
    ++open_;
    world_.world().executor().spawn("client", [](FleetPlay& play, Task<void> work) -> Task<void> {
      co_await std::move(work);
      --play.open_;
    }(*this, std::move(task)));
  };
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

void FleetPlay::befall(const Step& step) {
  const auto index = static_cast<std::size_t>(step.machine);
  if (index >= world_.machines().size()) return;
  FleetMachine& hit = machine(index);
  switch (step.kind) {
    case Kind::crash:
      if (machines_[index].loses_in < 0) machines_[index].loses_in = step.steps;
      return;
    case Kind::stop:
      say(hit.name() + " is asked to stop");
      if (hit.serves()) oracle_.machine_stopped();
      return hit.stop();
    case Kind::freeze:
      say(fmt::format("{} stands still for {} ms", hit.name(), step.lasts.count()));
      if (Process* process = hit.process()) process->frozen_until = scheduler().now() + step.lasts;
      if (hit.role() == FleetRole::worker)
        oracle_.out_of_touch(static_cast<int>(index - world_.controllers()), scheduler().now() + step.lasts);
      return;
    case Kind::jump:
      say(fmt::format("the wall clock of {} is {} ms off", hit.name(), step.lasts.count()));
      return hit.time().set_wall_off(step.lasts);
    case Kind::cut_off:
      return cut_off(index, step.lasts);
    case Kind::redis_restarts:
      say("Redis restarts, empty");
      oracle_.redis_forgot();
      return world_.cloud().redis().restart();
    case Kind::redis_fails_over:
      say(fmt::format("Redis fails over and loses {} ms", step.lasts.count()));
      oracle_.redis_forgot();
      return world_.cloud().redis().fail_over(step.lasts, milliseconds(step.steps));
    default:
      return;
  }
}

void FleetPlay::cut_off(std::size_t index, WorldTime time) {
  say(fmt::format("{} is cut off for {} ms", machine(index).name(), time.count() / 1'000'000));
  const WorldTime heals_at = std::max(scheduler().now() + time, machines_[index].heals_at.value_or(WorldTime{0}));
  machines_[index].heals_at = heals_at;
  machine(index).cut_off(true);
  if (index >= world_.controllers()) oracle_.out_of_touch(static_cast<int>(index - world_.controllers()), heals_at);
}

// A program that is gone starts again after a while, and a way that is cut is mended.
void FleetPlay::tend(std::size_t index) {
  FleetMachine& own = machine(index);
  Machine& state = machines_[index];
  if (state.loses_in >= 0 && --state.loses_in < 0 && own.runs()) {
    say(own.name() + " is lost");
    own.crash();
    oracle_.machine_lost();
  }
  if (state.heals_at && scheduler().now() >= *state.heals_at) {
    say(own.name() + " is not cut off any more");
    state.heals_at.reset();
    own.cut_off(false);
  }
  if (own.runs()) return;
  if (!own.gave_up().empty()) oracle_.complain(own.name() + " gave up: " + own.gave_up());
  if (!state.boots_at) state.boots_at = scheduler().now() + kRestart;
  if (scheduler().now() < *state.boots_at) return;
  state.boots_at.reset();
  say("a program starts on " + own.name());
  own.boot();
}

void FleetPlay::pass(WorldTime until) {
  while (scheduler().now() < until) {
    for (std::size_t i = 0; i < machines_.size(); ++i) tend(i);
    if (anyone_loses()) {
      (void)scheduler().step();
      continue;
    }
    WorldTime next = until;
    for (const Machine& one : machines_) {
      if (one.boots_at) next = std::min(next, *one.boots_at);
      if (one.heals_at) next = std::min(next, *one.heals_at);
    }
    const auto running = std::ranges::count_if(world_.machines(), [](const auto& one) { return one->runs(); });
    const auto something = [&] {
      return scheduler().now() >= next || anyone_loses() ||
             std::ranges::count_if(world_.machines(), [](const auto& one) { return one->runs(); }) != running;
    };
    const WorldTime left = std::max(next - scheduler().now(), WorldTime{1});
    if (scheduler().run_until(something, left) == Scheduler::Ran::stuck) scheduler().idle_until(next);
  }
}

void FleetPlay::go() {
  if (scenario_.has(Fault::drift)) {
    Dice drifts = Dice(scenario_.course).apart("drifts");
    for (const auto& one : world_.machines())
      one->time().set_drift(scheduler().now(), static_cast<double>(drifts.between(-500, 500)));
  }
  end_faults(world_.cloud());
  world_.boot_and_wait();
  set_faults(world_.cloud(), *scenario_.fleet);
  const WorldTime begun = scheduler().now();
  for (const Step& step : scenario_.steps) {
    pass(begun + step.at);
    begin(step);
  }
  come_to_rest();
}

void FleetPlay::end_all_faults() {
  // What takes workers down has its starts, and is given up.
  if (scenario_.has(Fault::killer)) pass(scheduler().now() + kKillerIsDone);
  faults_over_ = true;
  end_faults(world_.cloud());
  while (anyone_loses() || std::ranges::any_of(machines_, [](const Machine& one) { return one.heals_at.has_value(); }))
    pass(scheduler().now() + milliseconds(200));
  for (int i = 0; !all_serve() && i < 600; ++i) pass(scheduler().now() + milliseconds(200));
  if (!all_serve()) oracle_.complain("a program does not start, or not stop:\n" + scheduler().waiting());
  over_since_ = scheduler().now();
  say("all faults are over");
}

bool FleetPlay::all_is_settled() {
  return open_ == 0 && world_.cloud().queue().messages().empty() &&
         std::ranges::none_of(oracle_.jobs, [](const auto& entry) {
           const KnownJob& job = entry.second;
           return job.goes_on() || std::ranges::any_of(job.starts, [](const Start& one) { return !one.ended; });
         });
}

// What was accepted comes to its end; then everything is looked at.
void FleetPlay::come_to_rest() {
  end_all_faults();
  const WorldTime end = scheduler().now() + kQuiet;
  while (scheduler().now() < end) {
    pass(scheduler().now() + kAsk);
    if (open_ > 0) continue;
    world_.world().run(ask_for_results());
    if (all_is_settled()) break;
  }
  pass(scheduler().now() + kPlacesAreFree);
  world_.world().run(look_at_functions());
  oracle_.check_jobs();
  pass(scheduler().now() + kAsk);  // the last messages go
  oracle_.check_engines();
  say("the end");
  world_.stop_and_wait();
  for (const auto& one : world_.machines()) {
    if (one->sandboxes() != 0) oracle_.complain("sandboxes are left at " + one->name());
  }
  if (!world_.world().outside().tasks.empty()) oracle_.complain("a client still waits");
}

Task<void> FleetPlay::ask_for_results() {
  for (auto& [number, job] : oracle_.jobs) {
    if (!job.goes_on()) continue;
    const std::string request = job.request;
    const Answer answer = co_await ask([&](Client& client) { return client.get("/status/" + request); });
    const std::string status = answer.text("status");
    say(fmt::format("#{} is asked for: {} {}", number, answer.status, status));
    if (answer.status == 200 && status != "pending") {
      oracle_.heard(number, status);
    } else if (job.status == 202) {
      // Its mark is Redis', and its result the bucket's.
      if (answer.status == 404 && !oracle_.redis_forgot_since(job.sent))
        oracle_.complain(fmt::format("run #{} was accepted, and is not known", number));
    } else if (answer.status == 404 || (job.status == 503 && scheduler().now() > over_since_ + 2 * kUncertain)) {
      job.forgotten = true;  // a refusal may leave a mark behind, and what a client waited for is in Redis alone
      if (job.status == 504 && !oracle_.redis_forgot_since(job.sent))
        oracle_.complain(fmt::format("run #{} went on, and is not known", number));
    }
  }
}

Task<void> FleetPlay::look_at_functions() {
  for (std::size_t index = 0; index < oracle_.functions.size(); ++index) {
    const KnownFunction& function = oracle_.functions.at(index);
    const std::string id = function.id;
    if (id.empty()) continue;
    const Answer row = co_await ask([&](Client& client) { return client.get("/functions/" + id); });
    if (row.status == 404) {
      if (!function.removed && !function.maybe_removed) oracle_.complain(fmt::format("f{} is gone", index));
      continue;
    }
    if (function.removed) oracle_.complain(fmt::format("f{} is there though it was deleted", index));
    const Answer rows =
        co_await ask([&](Client& client) { return client.get("/functions/" + id + "/logs?limit=1000"); });
    boost::system::error_code error;
    const auto list = boost::json::parse(rows.body, error);
    if (error || !list.is_array() || !row.json().contains("invocations")) {
      oracle_.complain(fmt::format("f{} has no log: {} {}", index, row.body, rows.body));
    } else {
      oracle_.check_rows(index, list.get_array(), row.json().at("invocations").to_number<std::int64_t>());
    }
    co_await question(index);
  }
}

// In peace each function answers at once, at any controller, as its last version: places, slots and memory have come
// back.
Task<void> FleetPlay::question(std::size_t index) {
  const auto codes = oracle_.possible_codes(index);
  const std::string id = oracle_.functions.at(index).id;
  for (int i = 0; i < kQuestions; ++i) {
    const WorldTime sent = scheduler().now();
    const Answer answer = co_await ask([&](Client& client) { return client.run(id, "{}"); });
    if (answer.text("code") == "function_quarantined" && oracle_.losses >= kMostStarts) co_return;
    const std::string ran = answer.text("result");
    const WorldTime took = scheduler().now() - sent;
    say(fmt::format("f{} answers {} {}", index, answer.status, ran));
    if (!codes.contains(ran))
      oracle_.complain(
          fmt::format("f{} answers {} {}, and not as its last version", index, answer.status, answer.body));
    if (took > kAtOnce)
      oracle_.complain(fmt::format("f{} answers after {} ms, though all is quiet", index, took.count() / 1'000'000));
  }
}

}  // namespace

Outcome play_fleet(const Scenario& scenario, bool with_trace) {
  log::set_level(log::Level{4});  // above all of them
  return FleetPlay(scenario, with_trace).play();
}

Outcome play_any(const Scenario& scenario, bool with_trace) {
  return scenario.fleet ? play_fleet(scenario, with_trace) : play(scenario, with_trace);
}

}  // namespace infra::sim
