// What is played of any scenario, on one machine or on a fleet: what clients send and hear, what functions do, and what
// is asked when all faults are over.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "platform/client.h"
#include "platform/memory_function.h"
#include "platform/oracle.h"
#include "platform/scenario.h"
#include "platform/simulation.h"
#include "platform/virtual_world.h"

namespace infra::sim {

class Story {
 public:
  Story(const Scenario& scenario, bool with_trace, WorldTime at_once)
      : scenario_(scenario), with_trace_(with_trace), at_once_(at_once) {}
  virtual ~Story() = default;
  Story(const Story&) = delete;
  Story& operator=(const Story&) = delete;

  Outcome play();

 protected:
  using Request = std::function<Task<Answer>(Client&)>;

  virtual void go() = 0;
  virtual VirtualWorld& world() = 0;
  virtual Oracle& oracle() = 0;
  // What a step's client sends while there are faults, and what anybody asks when they are over.
  virtual Task<Answer> send(const Step& step, Request request) = 0;
  virtual Task<Answer> ask(Request request) = 0;
  virtual Task<Answer> ask_to_run(Request request) { return ask(std::move(request)); }
  // Whether a change may have come to pass, or come yet, though its client was not told so; within `undecided_for()`.
  [[nodiscard]] virtual bool may_have_happened(const Answer& answer) const = 0;
  [[nodiscard]] virtual WorldTime undecided_for() const { return WorldTime{0}; }
  // What happens to machines and engines.
  virtual void befall(const Step& step) = 0;
  virtual void heard(const Step& /*run*/, const Answer& /*its*/) {}
  // /status had no result for a run of which its client expects one.
  virtual void heard_no_result(int number, KnownJob& job, const Answer& answer) = 0;
  virtual void check_rows(std::size_t function, const boost::json::array& rows, std::int64_t invocations) = 0;
  [[nodiscard]] virtual bool may_be_quarantined() const = 0;

  Scheduler& scheduler() { return world().scheduler(); }
  template <typename... Arguments>
  void say(fmt::format_string<Arguments...> words, Arguments&&... arguments) {
    if (with_trace_) note(fmt::format(words, std::forward<Arguments>(arguments)...));
  }
  // Of a run's input; none: it is a question at the end, or no call.
  static std::optional<int> number_of(const FunctionCall& call);
  static FunctionPlan plan_for(const Step& step, const FunctionCall& call);
  void begin(const Step& step);
  // Beside the world's course; nobody_waits() until it is over.
  void start(Task<void> task);
  Task<void> ask_for_results();
  Task<void> look_at_functions();
  [[nodiscard]] bool nobody_waits() const { return open_ == 0; }

  const Scenario& scenario_;

 private:
  void note(const std::string& what);
  // The id of the function that a step means; none: there is none, or its client does not know it.
  std::optional<std::size_t> function_of(const Step& step);
  Task<void> change(Step step);
  Task<void> run(Step step);
  Task<void> remove(Step step);
  Task<void> question(std::size_t index);

  const bool with_trace_;
  const WorldTime at_once_;  // a question's answer in peace
  std::vector<std::string> trace_;
  std::map<int, std::size_t> current_;  // which of the oracle's functions a step's number means
  int codes_ = 0;
  int open_ = 0;  // client tasks under way
};

}  // namespace infra::sim
