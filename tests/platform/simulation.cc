#include "platform/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "adapters/sqlite/sqlite.h"
#include "platform/conditions.h"
#include "platform/embedded_world.h"
#include "platform/ill_disk.h"
#include "platform/last_words.h"
#include "platform/oracle.h"
#include "platform/rate_oracle.h"
#include "platform/story.h"
#include "telemetry/log.h"

namespace infra::sim {
namespace {

using Kind = Step::Kind;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr WorldTime kRestart = milliseconds(1500);   // as a service manager does
constexpr WorldTime kQuiet = std::chrono::hours(1);  // what all that was accepted is settled within
constexpr WorldTime kAsk = seconds(2);
constexpr WorldTime kSweeps = minutes(3);
constexpr WorldTime kLook = seconds(5);
constexpr WorldTime kRest = seconds(30);   // all that was held is given back within
constexpr WorldTime kAtOnce = seconds(3);  // a cold start takes some 60 ms when the faults are over

class Play final : public Story {
 public:
  Play(const Scenario& scenario, bool with_trace)
      : Story(scenario, with_trace, kAtOnce), world_(scenario.course, options_for(scenario, dice_, faults_over_)) {
    scheduler().set_disorder(scenario.has(Fault::disorder) ? 1 : 0);
    world_.functions().add_for_others([this](const FunctionCall& call) { return obey(call); });
    world_.functions().watch_ends([this](const FunctionCall& call) {
      if (const auto number = number_of(call)) {
        say("run #{} is over in {}", *number, call.code);
        oracle_.ends(call, *number);
      }
    });
  }

 private:
  VirtualWorld& world() override { return world_.world(); }
  Oracle& oracle() override { return oracle_; }
  EmbeddedMachine& machine() { return world_.machine(); }
  Client& client() { return world_.client(); }
  FunctionPlan obey(const FunctionCall& call);
  Task<Answer> send(const Step& step, Request request) override;
  Task<Answer> ask(Request request) override { return request(client()); }
  Task<Answer> ask_to_run(Request request) override;
  // docs/reliability.md: a commit whose flush failed may come back.
  [[nodiscard]] bool may_have_happened(const Answer& answer) const override {
    return (answer.status == 0 && !answer.refused) || (answer.status == 503 && scenario_.has(Fault::disk_errors));
  }
  void befall(const Step& step) override;
  void heard_no_result(int number, KnownJob& job, const Answer& answer) override;
  void check_rows(std::size_t function, const boost::json::array& rows, std::int64_t invocations) override {
    oracle_.check_rows(function, rows, invocations, scenario_);
  }
  [[nodiscard]] bool may_be_quarantined() const override { return scenario_.has(Fault::killer); }
  Task<void> ail(Step step);
  void check_bounds();
  void check_rest();
  void pass(WorldTime until);
  void tend_machine();
  void go() override;
  void come_to_rest();
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

  bool faults_over_ = false;
  std::shared_ptr<Dice> dice_ = std::make_shared<Dice>(Dice(scenario_.course).apart("launches"));
  EmbeddedWorld world_;
  Oracle oracle_{scheduler(), patience_for(scenario_)};
  RateOracle rates_{scenario_.has(Fault::rate_limit) ? scenario_.rate_limit : 0, scenario_.rate_window};
  int questions_ = 0;
  std::optional<WorldTime> boots_at_;
  int loses_in_ = -1;         // steps until the program is lost
  bool loses_power_ = false;  // and the machine's power with it
};

FunctionPlan Play::obey(const FunctionCall& call) {
  const auto number = number_of(call);
  if (call.loads) return {.takes = milliseconds(5)};
  if (!number) return {.text = "\"" + call.code + "\""};  // a question at the end
  say("run #{} begins in {}, call {} of its instance", *number, call.code, call.number);
  oracle_.begins(call, *number);
  check_bounds();
  const auto found = oracle_.jobs.find(*number);
  if (found == oracle_.jobs.end()) return {};
  const Step& step = found->second.step;
  if (step.kills && !faults_over_) loses_in_ = static_cast<int>(world().dice().below(30));
  return plan_for(step, call);
}

// From the address of the step.
Task<Answer> Play::send(const Step& step, Request request) {
  Client sender(world(), machine().door(), fmt::format("192.0.2.{}", step.address + 1));
  Answer answer = co_await request(sender);
  rates_.note(step.number, sender.address(), answer);
  co_return answer;
}

// From addresses of their own: those of before may have used their rate limit up.
Task<Answer> Play::ask_to_run(Request request) {
  Client asker(world(), machine().door(), fmt::format("203.0.113.{}", ++questions_));
  co_return co_await request(asker);
}

// The disk is ill for a while, and well again before all faults are over.
Task<void> Play::ail(Step step) {
  if (!scenario_.has(Fault::disk_errors) || faults_over_) co_return;
  say("the disk refuses calls for {} ms", step.lasts.count());
  make_ill(machine().disk(), Dice(scenario_.course).apart("ill disk", static_cast<std::uint64_t>(step.number)));
  co_await world().clock().sleep_until(world().clock().steady_now() + step.lasts);
  say("the disk is well");
  make_well(machine().disk());
}

void Play::befall(const Step& step) {
  switch (step.kind) {
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
      say("the program stands still for {} ms", step.lasts.count());
      if (Process* process = machine().process()) process->frozen_until = scheduler().now() + step.lasts;
      return;
    case Kind::jump:
      say("the wall clock is {} ms off", step.lasts.count());
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
  say("the program is lost{}", power ? ", with the power" : "");
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
  while (loses_in_ >= 0 || machine().stands_still() || !machine().serves()) pass(scheduler().now() + milliseconds(200));
  faults_over_ = true;
  machine().stand_still_at_disk_call(0);
  make_well(machine().disk());
  say("all faults are over");
  while (scheduler().now() < end) {
    pass(scheduler().now() + kAsk);
    if (!nobody_waits() || !machine().serves()) continue;
    world().run(ask_for_results());
    const bool all = std::ranges::none_of(oracle_.jobs, [](const auto& entry) {
      const KnownJob& job = entry.second;
      return job.goes_on() || (!job.starts.empty() && !job.starts.back().ended);
    });
    if (all) break;
  }
  see_sweeps();
  if (machine().stops()) oracle_.complain("the program was asked to stop, and does not:\n" + scheduler().waiting());
  world().run(look_at_functions());
  complain_of_left_code();
  check_rest();
  oracle_.check_jobs(scenario_);
  for (std::string& wrong : rates_.complaints()) oracle_.complain(std::move(wrong));
  say("the end");
  machine().stop_and_wait();
  complain_of_leftovers();
  if (!world().outside().tasks.empty()) oracle_.complain("a client still waits");
}

void Play::heard_no_result(int number, KnownJob& job, const Answer& answer) {
  const bool may_be_lost = job.status != 202 && (job.status == 503 || oracle_.losses + oracle_.stops > 0);
  job.forgotten = answer.status == 404;
  if (job.forgotten && !may_be_lost) oracle_.complain(fmt::format("run #{} went on, and is not known", number));
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
