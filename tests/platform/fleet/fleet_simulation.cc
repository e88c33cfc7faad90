#include "platform/fleet/fleet_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "platform/fleet/fleet_oracle.h"
#include "platform/fleet/fleet_settings.h"
#include "platform/story.h"
#include "telemetry/log.h"

namespace infra::sim {
namespace {

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
constexpr WorldTime kAtOnce = seconds(4);          // a cold start takes some 200 ms when the faults are over

class FleetPlay final : public Story {
 public:
  FleetPlay(const Scenario& scenario, bool with_trace)
      : Story(scenario, with_trace, kAtOnce), world_(scenario.course, own_options()) {
    scheduler().set_disorder(scenario.has(Fault::disorder) ? 1 : 0);
    for (std::size_t worker = 0; worker < world_.workers(); ++worker) {
      MemoryFunctions& functions = world_.functions_of_worker(worker);
      const int name = static_cast<int>(worker);
      functions.add_for_others([this, name](const FunctionCall& call) { return obey(call, name); });
      functions.watch_ends([this, name](const FunctionCall& call) {
        const auto number = number_of(call);
        if (!number) return;
        say("run #{} is over in {} at worker {}", *number, call.code, name);
        oracle_.ends(call, *number, name);
      });
    }
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
  VirtualWorld& world() override { return world_.world(); }
  Oracle& oracle() override { return oracle_; }
  FleetMachine& machine(std::size_t i) { return *world_.machines().at(i); }

  FunctionPlan obey(const FunctionCall& call, int worker);
  Task<Answer> send(const Step& /*step*/, Request request) override { return ask(std::move(request)); }
  Task<Answer> ask(Request request) override;
  [[nodiscard]] bool may_have_happened(const Answer& answer) const override {
    return answer.status >= 500 || (answer.status == 0 && !answer.refused);
  }
  [[nodiscard]] WorldTime undecided_for() const override { return kUncertain; }
  void befall(const Step& step) override;
  void heard(const Step& run, const Answer& answer) override;
  void heard_no_result(int number, KnownJob& job, const Answer& answer) override;
  void check_rows(std::size_t function, const boost::json::array& rows, std::int64_t invocations) override {
    oracle_.check_rows(function, rows, invocations);
  }
  [[nodiscard]] bool may_be_quarantined() const override { return oracle_.losses >= kMostStarts; }
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
  void go() override;
  void end_all_faults();
  void come_to_rest();

  bool faults_over_ = false;
  std::shared_ptr<Dice> dice_ = std::make_shared<Dice>(Dice(scenario_.course).apart("launches"));
  Dice balancer_ = Dice(scenario_.course).apart("load balancer");
  FleetWorld world_;
  FleetOracle oracle_{scheduler(), scenario_, world_.cloud()};
  std::vector<Machine> machines_{world_.machines().size()};
  WorldTime over_since_{0};
};

FunctionPlan FleetPlay::obey(const FunctionCall& call, int worker) {
  const auto number = number_of(call);
  if (call.loads) return {.takes = milliseconds(5)};
  if (!number) return {.text = "\"" + call.code + "\""};  // a question at the end
  say("run #{} begins in {} at worker {}", *number, call.code, worker);
  oracle_.begins(call, *number, worker);
  const auto found = oracle_.jobs.find(*number);
  if (found == oracle_.jobs.end()) return {};
  const Step& step = found->second.step;
  if (step.kills && !faults_over_)
    machines_.at(world_.controllers() + static_cast<std::size_t>(worker)).loses_in =
        static_cast<int>(world().dice().below(30));
  return plan_for(step, call);
}

// At any controller that listens, as a load balancer has it.
Task<Answer> FleetPlay::ask(Request request) {
  const std::size_t first = balancer_.below(world_.controllers());
  Answer answer{.refused = true};
  for (std::size_t i = 0; i < world_.controllers() && answer.refused; ++i)
    answer = co_await request(world_.client((first + i) % world_.controllers()));
  co_return answer;
}

void FleetPlay::heard(const Step& run, const Answer& answer) {
  if (answer.status == 500 && answer.text("status") == "ERROR") oracle_.heard(run.number, "ERROR");
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
      say("{} is asked to stop", hit.name());
      if (hit.serves()) oracle_.machine_stopped();
      return hit.stop();
    case Kind::freeze:
      say("{} stands still for {} ms", hit.name(), step.lasts.count());
      if (Process* process = hit.process()) process->frozen_until = scheduler().now() + step.lasts;
      if (hit.role() == FleetRole::worker)
        oracle_.out_of_touch(static_cast<int>(index - world_.controllers()), scheduler().now() + step.lasts);
      return;
    case Kind::jump:
      say("the wall clock of {} is {} ms off", hit.name(), step.lasts.count());
      return hit.time().set_wall_off(step.lasts);
    case Kind::cut_off:
      return cut_off(index, step.lasts);
    case Kind::redis_restarts:
      say("Redis restarts, empty");
      oracle_.redis_forgot();
      return world_.cloud().redis().restart();
    case Kind::redis_fails_over:
      say("Redis fails over and loses {} ms", step.lasts.count());
      oracle_.redis_forgot();
      return world_.cloud().redis().fail_over(step.lasts, milliseconds(step.steps));
    default:
      return;
  }
}

void FleetPlay::cut_off(std::size_t index, WorldTime time) {
  say("{} is cut off for {} ms", machine(index).name(), time.count() / 1'000'000);
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
    say("{} is lost", own.name());
    own.crash();
    oracle_.machine_lost();
  }
  if (state.heals_at && scheduler().now() >= *state.heals_at) {
    say("{} is not cut off any more", own.name());
    state.heals_at.reset();
    own.cut_off(false);
  }
  if (own.runs()) return;
  if (!own.gave_up().empty()) oracle_.complain(own.name() + " gave up: " + own.gave_up());
  if (!state.boots_at) state.boots_at = scheduler().now() + kRestart;
  if (scheduler().now() < *state.boots_at) return;
  state.boots_at.reset();
  say("a program starts on {}", own.name());
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
  return nobody_waits() && world_.cloud().queue().messages().empty() &&
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
    if (!nobody_waits()) continue;
    world().run(ask_for_results());
    if (all_is_settled()) break;
  }
  pass(scheduler().now() + kPlacesAreFree);
  world().run(look_at_functions());
  oracle_.check_jobs();
  pass(scheduler().now() + kAsk);  // the last messages go
  oracle_.check_engines();
  say("the end");
  world_.stop_and_wait();
  for (const auto& one : world_.machines()) {
    if (one->sandboxes() != 0) oracle_.complain("sandboxes are left at " + one->name());
  }
  if (!world().outside().tasks.empty()) oracle_.complain("a client still waits");
}

void FleetPlay::heard_no_result(int number, KnownJob& job, const Answer& answer) {
  if (job.status == 202) {
    // Its mark is Redis', and its result the bucket's.
    if (answer.status == 404 && !oracle_.redis_forgot_since(job.sent))
      oracle_.complain(fmt::format("run #{} was accepted, and is not known", number));
  } else if (answer.status == 404 || (job.status == 503 && scheduler().now() > over_since_ + 2 * kUncertain)) {
    job.forgotten = true;  // a refusal may leave a mark behind, and what a client waited for is in Redis alone
    if (job.status == 504 && !oracle_.redis_forgot_since(job.sent))
      oracle_.complain(fmt::format("run #{} went on, and is not known", number));
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
