// What scenarios do again and again to a world with one machine: begin runs that go on meanwhile, and wait for what the
// machine tells of itself. What goes wrong is a std::runtime_error, with the answer's own words.
#pragma once

#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/embedded_world.h"
#include "telemetry/log.h"

namespace infra::sim {

// A request that is under way, or was.
struct Sending {
  bool over = false;
  Answer answer;
  WorldTime took{0};
};
using Sendings = std::vector<std::shared_ptr<Sending>>;

class Scene : public EmbeddedWorld {
 public:
  // Without a limit of the rate, unless `variables` have one.
  explicit Scene(std::uint64_t seed, Variables variables = {}, int sandboxes = 8)
      : EmbeddedWorld(seed, {.data = {}, .variables = with_defaults(std::move(variables)), .sandboxes = sandboxes}) {
    log::set_level(log::Level{4});  // above all of them
    functions().add("echo", [](const FunctionCall& call) { return FunctionPlan{.text = call.input}; });
    machine().boot_and_wait();
  }

  [[nodiscard]] WorldTime now() { return world().scheduler().now(); }
  void await(const std::function<bool()>& condition, std::string_view what,
             WorldTime within = std::chrono::minutes(1)) {
    const WorldTime end = now() + within;
    while (!condition()) {
      if (now() > end) throw std::runtime_error("there is still not: " + std::string(what));
      world().pass(milliseconds(10));
    }
  }
  void restart() {
    machine().stop_and_wait();
    machine().boot_and_wait();
  }
  void lose_program() {
    machine().crash();
    machine().boot_and_wait();
  }

  // --- runs ---
  std::shared_ptr<Sending> start(Task<Answer> request) {
    auto sending = std::make_shared<Sending>();
    world().executor().spawn("a client",
                             [](Scheduler& scheduler, Task<Answer> own, std::shared_ptr<Sending> into) -> Task<void> {
                               const WorldTime begun = scheduler.now();
                               into->answer = co_await std::move(own);
                               into->took = scheduler.now() - begun;
                               into->over = true;
                             }(world().scheduler(), std::move(request), sending));
    return sending;
  }
  // As many clients at once, each of which waits for its run's result.
  Sendings start_all(const std::string& function, const std::string& input, int count) {
    Sendings all;
    for (int i = 0; i < count; ++i) all.push_back(start(client().run(function, input)));
    return all;
  }
  void await_all(const Sendings& all) {
    for (const auto& one : all) await([&] { return one->over; }, "an answer", std::chrono::hours(1));
  }
  boost::json::object run_now(const std::string& function, const std::string& input = "null") {
    return good(run(client().run(function, input)), 200).json();
  }
  // An asynchronous run's id.
  std::string begin(const std::string& function, const std::string& input = "null") {
    return good(run(client().run(function, input, true)), 202).text("jobId");
  }
  boost::json::object status(const std::string& job) { return good(run(client().get("/status/" + job)), 200).json(); }
  boost::json::object await_result(const std::string& job, WorldTime within = std::chrono::minutes(1)) {
    await([&] { return status(job).at("status") != "pending"; }, "the result of " + job, within);
    return status(job);
  }

  // --- what is told ---
  // `series` with its labels, as a scrape shows it. Zero, if it is not there.
  double metric(std::string_view series) {
    const std::string text = "\n" + good(run(client().get("/metrics")), 200).body;
    const std::string wanted = "\n" + std::string(series) + " ";
    const auto at = text.find(wanted);
    return at == std::string::npos ? 0 : std::stod(text.substr(at + wanted.size()));
  }
  boost::json::object row_of(const std::string& function) {
    return good(run(client().get("/functions/" + function)), 200).json();
  }
  boost::json::array log_of(const std::string& function) {
    return boost::json::parse(good(run(client().get("/functions/" + function + "/logs?limit=1000")), 200).body)
        .as_array();
  }
  Answer change(const std::string& function, const std::string& settings) {
    return run(client().send({.method = "PUT",
                              .target = "/functions/" + function,
                              .body = settings,
                              .headers = {{"Content-Type", "application/json"}}}));
  }

 private:
  static Variables with_defaults(Variables variables) {
    variables.try_emplace("RATE_LIMIT", "0");
    return variables;
  }
  static Answer good(Answer answer, int status) {
    if (answer.status != status) throw std::runtime_error(std::to_string(answer.status) + ": " + answer.body);
    return answer;
  }
};

// How many calls of its functions run, and did at most, at once.
class AtOnce {
 public:
  explicit AtOnce(MemoryFunctions& functions) : functions_(functions) {
    functions_.watch_ends([this](const FunctionCall& call) { running_[call.code] -= 1; });
  }
  ~AtOnce() { functions_.watch_ends({}); }
  AtOnce(const AtOnce&) = delete;
  AtOnce& operator=(const AtOnce&) = delete;

  // A function that takes as long, by a name of its own.
  void add(std::string name, milliseconds takes, FunctionPlan::End end = FunctionPlan::End::value) {
    functions_.add(name, [this, name, takes, end](const FunctionCall& call) {
      if (!call.loads) most_[name] = std::max(most_[name], ++running_[name]);
      return FunctionPlan{.takes = takes, .end = end};
    });
  }
  [[nodiscard]] int running(const std::string& name) { return running_[name]; }
  [[nodiscard]] int most(const std::string& name) { return most_[name]; }

 private:
  MemoryFunctions& functions_;
  std::map<std::string, int> running_, most_;
};

}  // namespace infra::sim
