#include "main/controller.h"

#include <utility>

#include "web/assets.h"

namespace infra {
namespace {

constexpr std::chrono::seconds kLastAnswers{2};  // for 503s to get out after the shutdown time is over

}  // namespace

Controller::Controller(Program& program, ControllerEngines engines)
    : engines_(std::move(engines)),
      clock_(program.clock),
      models_(engines_.http, program.config.ai_node_url, program.config.ai_node_timeout),
      known_keys_(engines_.configuration, program.ids, program.executor, program.clock),
      keys_(engines_.configuration, known_keys_, program.ids, program.random, program.clock,
            SecretsKey::parse(program.config.secrets_key)),
      audit_(engines_.configuration, program.executor, program.clock),
      claims_(engines_.configuration, program.ids),
      names_(claims_, engines_.functions, program.clock),
      deploy_(engines_.functions, engines_.code, bundles_, program.executor, program.clock, program.ids, program.events,
              engines_.preparer, engines_.egress, engines_.observer, engines_.late_writes),
      deploy_by_name_(deploy_, claims_, engines_.functions, program.clock),
      invoke_(engines_.functions, engines_.queue, engines_.results, program.clock, program.events, program.metrics,
              {.limiter = engines_.concurrency,
               .max_waiting = program.config.max_waiting,
               .overload = &program.overload,
               .quarantine = &engines_.quarantine},
              &names_, &engines_.live),
      read_logs_(engines_.functions, engines_.logs),
      read_output_file_(engines_.functions, engines_.logs, engines_.results, engines_.code, program.executor),
      advise_memory_(engines_.functions, engines_.logs, deploy_, program.clock),
      read_series_(engines_.functions, engines_.series, program.clock),
      functions_handler_(deploy_, deploy_by_name_, engines_.functions, engines_.staging, program.clock,
                         &engines_.quarantine, audit_),
      runs_handler_(invoke_, engines_.results),
      logs_handler_(read_logs_, read_output_file_),
      advice_handler_(advise_memory_),
      series_handler_(read_series_),
      system_handler_(engines_.workers, models_, program.clock, engines_.refresh_workers, engines_.only_worker),
      keys_handler_(keys_, audit_),
      dashboard_handler_(web::assets()),
      events_handler_(engines_.feed, names_, known_keys_, program.clock,
                      [this] { return system_handler_.worker_rows(); }),
      door_(
          program, engines_.limiter, engines_.probes, [this] { return gauges(); },
          [&](http::MonitoringHandler& status) {
            return http::controller_routes(
                {names_, audit_, functions_handler_, runs_handler_, logs_handler_, advice_handler_, series_handler_,
                 status, system_handler_, keys_handler_, dashboard_handler_, events_handler_},
                program.config.metrics_public);
          },
          {.configuration = [this] { return claims_.possible(); }, .keys = &known_keys_, .audit = &audit_}) {}

Task<GaugeSample> Controller::gauges() {
  GaugeSample sample;
  if (const auto depth = co_await engines_.queue.depth()) {
    sample.queue = {.ready = depth->ready, .in_flight = depth->in_flight, .dead = depth->dead};
  }
  if (engines_.waiting_jobs) sample.jobs_waiting = engines_.waiting_jobs();
  if (engines_.answers) sample.answers = engines_.answers();
  if (engines_.refresh_workers) co_await engines_.refresh_workers();
  if (const auto workers = co_await engines_.workers.list()) {
    sample.workers = static_cast<std::int64_t>(workers->size());
    for (const auto& worker : *workers) {
      sample.jobs_running += worker.active_jobs;
      for (const auto& [runtime, count] : worker.pools) sample.pools[runtime] += count;
    }
  }
  co_return sample;
}

Task<void> Controller::shut_down(SteadyTime deadline, std::function<Task<void>()> between) {
  const bool all_answered = co_await door_.answered(deadline);
  if (between) co_await between();
  if (!all_answered) {
    engines_.results.abandon_waiters();
    co_await door_.answered(clock_.steady_now() + kLastAnswers);
  }
}

}  // namespace infra
