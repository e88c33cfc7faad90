#include "worker/jobs/job_loop.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "async/supervised.h"
#include "telemetry/log.h"
#include "telemetry/task_failures.h"

namespace infra::worker {
namespace {

constexpr milliseconds kReceiveWait{20'000};    // SQS's longest long poll
constexpr milliseconds kDrainReceiveWait{100};  // while draining: is there a sync job left?
constexpr milliseconds kFailurePause{1000};
constexpr milliseconds kForever = std::chrono::hours(24);
// Where the slots that are left are not for all: of so many jobs there may be one that is to have one.
constexpr int kChoice = 10;

}  // namespace

Task<void> JobLoop::run() {
  return supervised(deps_.clock, "receiving jobs", [this] { return receive_until_stopped(); });
}

Task<void> JobLoop::receive_until_stopped() {
  while (deps_.lifecycle.phase() != Phase::stopping) {
    const auto change = changed_.prepare_wait();
    const bool full = deps_.gate.free_slots() == 0;
    if (full || (deps_.lifecycle.phase() == Phase::draining && queue_empty_)) {
      co_await change->wait_until(deps_.clock.steady_now() + (full ? kForever : kDrainReceiveWait));
      queue_empty_ = false;
      continue;
    }
    co_await receive_once();
  }
}

Task<void> JobLoop::receive_once() {
  const int common = deps_.gate.free_common_slots();
  const bool draining = deps_.lifecycle.phase() == Phase::draining;
  const bool alone = helpers_ == 0;  // else one may have taken what is not counted yet
  auto deliveries =
      co_await deps_.queue.receive(common > 0 ? common : kChoice, draining ? milliseconds(0) : kReceiveWait);
  if (!deliveries) {
    log::warn("receiving jobs failed", {{"code", deliveries.error().code}});
    const auto change = changed_.prepare_wait();
    if (deps_.lifecycle.phase() == Phase::running) {
      co_await change->wait_until(deps_.clock.steady_now() + kFailurePause);
    }
  }
  const bool empty = !deliveries || deliveries->empty();
  if (!empty) {
    for (auto& delivery : *deliveries) accept(std::move(delivery));
  }
  if (draining) {
    queue_empty_ = empty && alone && !deps_.gate.anyone_waits();
    changed_.notify_all();
    const auto change = changed_.prepare_wait();
    if (empty && !queue_empty_) co_await change->wait_until(deps_.clock.steady_now() + kDrainReceiveWait);
  }
}

void JobLoop::help_on_each_thread() {
  deps_.tasks.spawn_on_each("receiving jobs", [this] {
    ++helpers_;
    return help();
  });
}

Task<void> JobLoop::help() {
  co_await supervised(deps_.clock, "receiving jobs", [this] { return receive_alone(); });
  --helpers_;
  changed_.notify_all();
}

// One at a time: another's thread may have the time for the next.
Task<void> JobLoop::receive_alone() {
  while (deps_.lifecycle.phase() == Phase::running) {
    const auto change = changed_.prepare_wait();
    if (deps_.gate.free_slots() == 0) {
      co_await change->wait_until(deps_.clock.steady_now() + kForever);
      continue;
    }
    auto deliveries = co_await deps_.queue.receive(1, kReceiveWait);
    if (deliveries) {
      for (auto& delivery : *deliveries) accept(std::move(delivery));
    } else if (deps_.lifecycle.phase() == Phase::running) {
      co_await change->wait_until(deps_.clock.steady_now() + kFailurePause);  // run() says what is wrong
    }
  }
}

bool JobLoop::is_given_back(const Delivery& delivery) const {
  return deps_.lifecycle.phase() != Phase::running && deps_.give_back.is_allowed_for(delivery.job);
}

void JobLoop::accept(Delivery delivery) {
  if (is_given_back(delivery)) {
    deps_.gate.drop(delivery.job.function_id);
    deps_.tasks.spawn("giving a job back", deps_.give_back.give_back(std::move(delivery.receipt)));
    return;
  }
  ++active_jobs_;
  auto ticket = deps_.gate.admit(delivery.job);
  deps_.tasks.spawn("job", handle(std::move(delivery), std::move(ticket)));
}

Task<void> JobLoop::run_beside(Delivery delivery) {
  if (is_given_back(delivery)) {
    co_await deps_.give_back.give_back(std::move(delivery.receipt));
    co_return;
  }
  ++active_jobs_;
  ++beside_;
  auto ticket = RunGate::beside(delivery.job);
  co_await handle(std::move(delivery), std::move(ticket));
  --beside_;
}

Task<void> JobLoop::handle(Delivery delivery, RunGate::TicketPtr ticket) {
  const auto hold = std::make_shared<Hold>();
  const auto renewal = deps_.leases.renew(delivery, ticket, hold);
  const std::string& request = delivery.job.request_id.value;
  bool done = false;
  std::exception_ptr broken;
  try {
    done = co_await deps_.runs.run(delivery, ticket, *hold);
  } catch (...) {
    broken = std::current_exception();
  }
  if (broken) report_task_failure("job", broken, request);  // it has no result: its lease runs out
  renewal.end();
  (void)co_await caught("end of a job", deps_.gate.close(ticket, delivery.job, done), request);
  --active_jobs_;
  changed_.notify_all();
}

Task<void> JobLoop::wait_until_drained(SteadyTime deadline) {
  while (deps_.clock.steady_now() < deadline) {
    const auto change = changed_.prepare_wait();
    if (active_jobs_ == 0 && queue_empty_) co_return;
    co_await change->wait_until(deadline);
  }
}

}  // namespace infra::worker
