#include "platform/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <map>
#include <optional>

#include "adapters/sqlite/sqlite.h"
#include "platform/conditions.h"
#include "platform/embedded_world.h"
#include "platform/ill_disk.h"
#include "platform/last_words.h"
#include "platform/oracle.h"
#include "platform/rate_oracle.h"
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
constexpr WorldTime kQuiet = std::chrono::hours(1);  // what all that was accepted is settled within
constexpr WorldTime kAsk = seconds(2);
constexpr WorldTime kSweeps = minutes(3);
constexpr WorldTime kLook = seconds(5);
constexpr int kQuestions = 4;
constexpr WorldTime kRest = seconds(30);   // all that was held is given back within
constexpr WorldTime kAtOnce = seconds(3);  // a cold start takes some 60 ms when the faults are over

class Play {
 public:
  Play(const Scenario& scenario, bool with_trace)
      : scenario_(scenario),
        with_trace_(with_trace),
        world_(scenario.course, options_for(scenario, dice_, faults_over_)) {
    world_.world().scheduler().set_disorder(scenario.has(Fault::disorder) ? 1 : 0);
    world_.functions().add_for_others([this](const FunctionCall& call) { return obey(call); });
    world_.functions().watch_ends([this](const FunctionCall& call) {
      if (const auto number = number_of(call)) {
        say(fmt::format("run #{} is over in {}", *number, call.code));
        oracle_.ends(call, *number);
      }
    });
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
  Scheduler& scheduler() { return world_.world().scheduler(); }
  EmbeddedMachine& machine() { return world_.machine(); }
  Client& client() { return world_.client(); }
  // The one of a step's address.
  Client client_of(const Step& step) {
    return {world_.world(), machine().door(), fmt::format("192.0.2.{}", step.address + 1)};
  }
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

  FunctionPlan obey(const FunctionCall& call);
  Task<void> change(Step step);
  Task<void> run(Step step);
  Task<void> remove(Step step);
  Task<void> ail(Step step);
  // Whether it may have come to pass all the same (docs/reliability.md): a commit whose flush failed may come back.
  [[nodiscard]] bool is_lost(const Answer& answer) const {
    return (answer.status == 0 && !answer.refused) || (answer.status == 503 && scenario_.has(Fault::disk_errors));
  }
  void begin(const Step& step);
  void check_bounds();
  void check_rest();
  void pass(WorldTime until);
  void tend_machine();
  void go();
  void come_to_rest();
  Task<void> ask_for_results();
  Task<void> look_at_functions();
  Task<void> question(std::size_t index);
  void see_sweeps();
  [[nodiscard]] bool holds_something() {
    return std::ranges::any_of(machine().holdings(), [](const Holding& one) { return one.held > 0; });
  }
  [[nodiscard]] std::size_t bundles_kept();
  [[nodiscard]] std::size_t functions_kept() const;
  void complain_of_left_code();
  void complain_of_leftovers();
  [[nodiscard]] std::set<std::string> recorded_runs();
  void lose();

  const Scenario& scenario_;
  const bool with_trace_;
  std::vector<std::string> trace_;
  bool faults_over_ = false;
  std::shared_ptr<Dice> dice_ = std::make_shared<Dice>(Dice(scenario_.course).apart("launches"));
  EmbeddedWorld world_;
  Oracle oracle_{scheduler(), patience_for(scenario_)};
  RateOracle rates_{scenario_.has(Fault::rate_limit) ? scenario_.rate_limit : 0, scenario_.rate_window};
  std::map<int, std::size_t> current_;  // which of the oracle's functions a step's number means
  int codes_ = 0;
  int questions_ = 0;
  int open_ = 0;  // client tasks under way
  std::optional<WorldTime> boots_at_;
  int loses_in_ = -1;         // steps until the program is lost
  bool loses_power_ = false;  // and the machine's power with it
};

FunctionPlan Play::obey(const FunctionCall& call) {
  const auto number = number_of(call);
  if (call.loads) return {.takes = milliseconds(5)};
  if (!number) return {.text = "\"" + call.code + "\""};  // a question at the end
  say(fmt::format("run #{} begins in {}, call {} of its instance", *number, call.code, call.number));
  oracle_.begins(call, *number);
  check_bounds();
  const auto found = oracle_.jobs.find(*number);
  if (found == oracle_.jobs.end()) return {};
  const Step& step = found->second.step;
  if (step.kills && !faults_over_) loses_in_ = static_cast<int>(world_.world().dice().below(30));
  FunctionPlan plan{.takes = step.takes, .prints = "hello\n", .end = step.end, .ends_after = step.ends_after};
  if (step.end == End::value) plan.text = "\"" + call.code + "\"";
  if (step.end == End::error || step.end == End::garbage) plan.text = "as the scenario has it";
  if (step.end == End::exit) plan.code = 3;
  if (step.end == End::killed) plan.code = 11;
  plan.processes_left = step.leaves_process ? 1 : 0;
  return plan;
}

// An upload makes another function of that number from then on; an update gives the one there is new code.
Task<void> Play::change(Step step) {
  const bool makes = step.kind == Kind::upload;
  if (!makes && !current_.contains(step.function)) co_return;
  if (makes) current_[step.function] = oracle_.add_function();
  const std::size_t index = current_.at(step.function);
  const std::string id = oracle_.functions.at(index).id;
  if (!makes && id.empty()) co_return;
  SentVersion version{.code = fmt::format("f{}v{}", index, ++codes_),
                      .max_concurrency = step.max_concurrency,
                      .timeout = step.timeout,
                      .sent = scheduler().now()};
  Upload upload{.name = version.code, .code = version.code};
  if (step.max_concurrency > 0) upload.settings.emplace_back("maxConcurrency", std::to_string(step.max_concurrency));
  if (step.keep_warm > 0) upload.settings.emplace_back("keepWarm", std::to_string(step.keep_warm));
  if (step.timeout.count() > 0) upload.settings.emplace_back("timeoutMs", std::to_string(step.timeout.count()));
  if (!makes) upload.settings.clear();  // a form changes code alone; settings come as JSON
  if (!makes) version.max_concurrency = 0, version.timeout = milliseconds(0);
  oracle_.functions.at(index).versions.push_back(version);
  const std::size_t number = oracle_.functions.at(index).versions.size() - 1;
  say(fmt::format("#{} sends {}", step.number, version.code));
  Client sender = client_of(step);
  const Answer answer = co_await (makes ? sender.upload(upload) : sender.update(id, upload));
  rates_.note(step.number, sender.address(), answer);
  say(fmt::format("#{} is answered {} {}", step.number, answer.status, answer.text("code")));
  KnownFunction& function = oracle_.functions.at(index);
  SentVersion& sent = function.versions.at(number);
  sent.answered = scheduler().now();
  sent.accepted = answer.status == 200;
  sent.unknown = is_lost(answer);
  if (makes) function.id = answer.text("functionId");
}

Task<void> Play::remove(Step step) {
  if (!current_.contains(step.function)) co_return;
  const std::size_t index = current_.at(step.function);
  const std::string id = oracle_.functions.at(index).id;
  if (id.empty()) co_return;
  say(fmt::format("#{} deletes f{}", step.number, index));
  Client sender = client_of(step);
  const Answer answer = co_await sender.remove(id);
  rates_.note(step.number, sender.address(), answer);
  say(fmt::format("#{} is answered {} {}", step.number, answer.status, answer.text("code")));
  if (answer.status == 200 || answer.status == 404) oracle_.functions.at(index).removed = scheduler().now();
  if (is_lost(answer)) oracle_.functions.at(index).maybe_removed = true;
}

Task<void> Play::run(Step step) {
  if (!current_.contains(step.function)) co_return;
  const std::size_t index = current_.at(step.function);
  const std::string id = oracle_.functions.at(index).id;
  if (id.empty()) co_return;
  oracle_.add_job(step, index);
  say(fmt::format("#{} runs f{}{}", step.number, index, step.kind == Kind::run_async ? " async" : ""));
  Client sender = client_of(step);
  const Answer answer =
      co_await sender.run(id, fmt::format(R"({{"n":{}}})", step.number), step.kind == Kind::run_async);
  rates_.note(step.number, sender.address(), answer);
  say(fmt::format("#{} is answered {} {} {}", step.number, answer.status, answer.text("status"), answer.text("code")));
  oracle_.answered(step.number, answer);
}

// The disk is ill for a while, and well again before all faults are over.
Task<void> Play::ail(Step step) {
  if (!scenario_.has(Fault::disk_errors) || faults_over_) co_return;
  say(fmt::format("the disk refuses calls for {} ms", step.lasts.count()));
  make_ill(machine().disk(), Dice(scenario_.course).apart("ill disk", static_cast<std::uint64_t>(step.number)));
  co_await world_.world().clock().sleep_until(world_.world().clock().steady_now() + step.lasts);
  say("the disk is well");
  make_well(machine().disk());
}

void Play::begin(const Step& step) {
  const auto start = [&](Task<void> task) {
    ++open_;
    world_.world().executor().spawn("client", [](Play& play, Task<void> work) -> Task<void> {
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
    case Kind::crash:
      if (loses_in_ >= 0) return;
      loses_power_ = step.power && scenario_.has(Fault::power_cut);
      if (step.disk_calls == 0) {
        loses_in_ = step.steps;
      } else if (machine().runs()) {
        machine().stand_still_at_disk_call(static_cast<std::uint64_t>(step.disk_calls));
      }
      return;
    case Kind::ill_disk:
      return start(ail(step));
    case Kind::stop:
      say("the program is asked to stop");
      if (machine().serves()) oracle_.program_stopped();
      return machine().stop();
    case Kind::freeze:
      say(fmt::format("the program stands still for {} ms", step.lasts.count()));
      if (Process* process = machine().process()) process->frozen_until = scheduler().now() + step.lasts;
      return;
    case Kind::jump:
      say(fmt::format("the wall clock is {} ms off", step.lasts.count()));
      return machine().time().set_wall_off(step.lasts);
    default:
      return;  // a fleet's
  }
}

// Of whom the disk has a row, while no program runs.
std::set<std::string> Play::recorded_runs() {
  std::set<std::string> requests;
  machine().look_at_database([&](const std::filesystem::path& file) {
    using sqlite::Connection;
    const auto database = Connection::open(file, Connection::Mode::read_only);
    if (!database) return;
    auto rows = (*database)->prepare("SELECT request_id FROM logs");
    for (auto row = rows.step(); row && *row; row = rows.step()) requests.insert(rows.text(0));
  });
  return requests;
}

void Play::lose() {
  const bool power = std::exchange(loses_power_, false);
  say(power ? "the program is lost, with the power" : "the program is lost");
  power ? machine().cut_power() : machine().crash();
  oracle_.program_lost(recorded_runs());
}

// Budgets are never exceeded.
void Play::check_bounds() {
  for (const Holding& one : machine().holdings()) {
    if (one.held > one.most) oracle_.complain(fmt::format("{} {}, and {} at the most", one.held, one.what, one.most));
  }
}

// When all is quiet everything has been given back.
void Play::check_rest() {
  const WorldTime end = scheduler().now() + kRest;
  while (scheduler().now() < end && holds_something()) pass(scheduler().now() + milliseconds(100));
  for (const Holding& one : machine().holdings()) {
    if (one.held > 0) oracle_.complain(fmt::format("all is quiet, and the program holds {} {}", one.held, one.what));
  }
}

// A program that is gone starts again after a while.
void Play::tend_machine() {
  if (loses_in_ >= 0 && --loses_in_ < 0 && machine().runs()) lose();
  if (machine().stands_still()) lose();
  if (machine().runs()) return;
  if (!machine().gave_up().empty() && (faults_over_ || !scenario_.has(Fault::disk_errors)))
    oracle_.complain("the program gave up: " + machine().gave_up());
  if (!boots_at_) complain_of_leftovers();
  if (!boots_at_) boots_at_ = scheduler().now() + kRestart;
  if (scheduler().now() < *boots_at_) return;
  boots_at_.reset();
  say("a program starts");
  machine().boot();
}

void Play::pass(WorldTime until) {
  while (scheduler().now() < until) {
    tend_machine();
    if (loses_in_ < 0 && machine().runs()) {
      const WorldTime left = until - scheduler().now();
      scheduler().run_until(
          [&] { return scheduler().now() >= until || loses_in_ >= 0 || machine().stands_still() || !machine().runs(); },
          left);
    } else if (!scheduler().step()) {
      scheduler().idle_until(boots_at_ ? std::min(until, *boots_at_) : until);
    }
  }
}

void Play::go() {
  const std::set<std::string> quiet;
  if (scenario_.has(Fault::drift)) machine().time().set_drift(scheduler().now(), 500);
  machine().boot_and_wait();
  const WorldTime begun = scheduler().now();
  for (const Step& step : scenario_.steps) {
    pass(begun + step.at);
    begin(step);
    check_bounds();
  }
  come_to_rest();
}

// All faults are over, and what was accepted comes to its end; then everything is looked at.
void Play::come_to_rest() {
  const WorldTime end = scheduler().now() + kQuiet;
  // What takes the program down has its starts, and is given up.
  if (scenario_.has(Fault::killer)) pass(scheduler().now() + seconds(20));
  while (loses_in_ >= 0 || !machine().serves()) pass(scheduler().now() + milliseconds(200));
  faults_over_ = true;
  machine().stand_still_at_disk_call(0);
  make_well(machine().disk());
  say("all faults are over");
  while (scheduler().now() < end) {
    pass(scheduler().now() + kAsk);
    if (open_ > 0 || !machine().serves()) continue;
    world_.world().run(ask_for_results());
    const bool all = std::ranges::none_of(oracle_.jobs, [](const auto& entry) {
      const KnownJob& job = entry.second;
      return job.goes_on() || (!job.starts.empty() && !job.starts.back().ended);
    });
    if (all) break;
  }
  see_sweeps();
  if (machine().stops()) oracle_.complain("the program was asked to stop, and does not:\n" + scheduler().waiting());
  world_.world().run(look_at_functions());
  check_rest();
  oracle_.check_jobs(scenario_);
  for (std::string& wrong : rates_.complaints()) oracle_.complain(std::move(wrong));
  say("the end");
  machine().stop_and_wait();
  complain_of_leftovers();
  if (!world_.world().outside().tasks.empty()) oracle_.complain("a client still waits");
}

Task<void> Play::ask_for_results() {
  for (auto& [number, job] : oracle_.jobs) {
    if (!job.goes_on()) continue;
    const Answer answer = co_await client().get("/status/" + job.request);
    const bool may_be_lost = job.status != 202 && (job.status == 503 || oracle_.losses + oracle_.stops > 0);
    job.forgotten = answer.status == 404;
    say(fmt::format("#{} is asked for: {} {}", number, answer.status, answer.text("status")));
    if (job.forgotten && !may_be_lost) oracle_.complain(fmt::format("run #{} went on, and is not known", number));
    const std::string status = answer.text("status");
    if (status != "pending" && answer.status == 200) {
      say(fmt::format("#{} has the result {} {}", number, status, answer.text("code")));
      oracle_.heard(number, status);
    }
  }
}

Task<void> Play::look_at_functions() {
  for (std::size_t index = 0; index < oracle_.functions.size(); ++index) {
    const KnownFunction& function = oracle_.functions.at(index);
    if (function.id.empty()) continue;
    const Answer row = co_await client().get("/functions/" + function.id);
    if (row.status == 404) {
      if (!function.removed && !function.maybe_removed) oracle_.complain(fmt::format("f{} is gone", index));
      continue;
    }
    if (function.removed) oracle_.complain(fmt::format("f{} is there though it was deleted", index));
    const Answer rows = co_await client().get("/functions/" + function.id + "/logs?limit=1000");
    boost::system::error_code error;
    const auto list = boost::json::parse(rows.body, error);
    if (error || !list.is_array()) {
      oracle_.complain(fmt::format("f{} has no log: {}", index, rows.body));
    } else {
      oracle_.check_rows(index, list.get_array(), row.json().at("invocations").to_number<std::int64_t>(), scenario_);
    }
    co_await question(index);
  }
  complain_of_left_code();
}

// In peace each function answers at once, as its last version: permits, slots and memory have come back.
Task<void> Play::question(std::size_t index) {
  const auto codes = oracle_.possible_codes(index);
  for (int i = 0; i < kQuestions; ++i) {
    const WorldTime sent = scheduler().now();
    // From addresses of their own: those of before may have used their rate limit up.
    Client asker(world_.world(), machine().door(), fmt::format("203.0.113.{}", ++questions_));
    const Answer answer = co_await asker.run(oracle_.functions.at(index).id, "{}");
    if (answer.text("code") == "function_quarantined" && scenario_.has(Fault::killer)) co_return;
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

// Some runs see the platform idle for all of that time, the others until it serves and nothing is left to be swept or
// done: a run whose answer was lost begins when its lease is over, and takes as long as it may.
void Play::see_sweeps() {
  const bool whole = Dice(scenario_.course).apart("whole sweeps").chance(0.1);
  const WorldTime end = scheduler().now() + kSweeps;
  const auto is_up = [&] { return machine().serves() && !machine().stops(); };
  do pass(scheduler().now() + kLook);
  while (scheduler().now() < end && (whole || !is_up() || bundles_kept() > functions_kept()));
  const WorldTime last = scheduler().now() + kQuiet;
  while (scheduler().now() < last && holds_something()) pass(scheduler().now() + kLook);
}

void Play::complain_of_leftovers() {
  for (const std::string& left : machine().leftovers()) oracle_.complain("at the end of a program there is " + left);
}

std::size_t Play::bundles_kept() {
  std::size_t bundles = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(machine().data() / "code", ignored))
    bundles += entry.is_regular_file() ? 1 : 0;
  return bundles;
}

std::size_t Play::functions_kept() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(oracle_.functions, [](const KnownFunction& one) { return !one.removed; }));
}

// After the sweeps each bundle has a function.
void Play::complain_of_left_code() {
  if (bundles_kept() > functions_kept())
    oracle_.complain(fmt::format("{} bundles are kept for {} functions", bundles_kept(), functions_kept()));
}

}  // namespace

Outcome play(const Scenario& scenario, bool with_trace) {
  log::set_level(log::Level{4});  // above all of them
  note_seed(scenario.seed);
  return Play(scenario, with_trace).play();
}

}  // namespace infra::sim
