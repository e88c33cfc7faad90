#include "worker/jobs/leases.h"

#include "core/limits.h"
#include "telemetry/log.h"
#include "telemetry/task_failures.h"

namespace infra::worker {

void Leases::Renewal::end() const {
  lease_->notify();
  if (permit_) permit_->notify();
}

Leases::Renewal Leases::renew(const Delivery& delivery, const RunGate::TicketPtr& ticket, const HoldPtr& hold) {
  Renewal renewal;
  renewal.lease_ = clock_.make_signal();
  tasks_.spawn("lease renewal", renew_lease(delivery.receipt, hold, renewal.lease_));
  if (delivery.job.max_concurrency > 0) {
    renewal.permit_ = clock_.make_signal();
    tasks_.spawn("permit renewal",
                 renew_permit(ticket, {.function = delivery.job.function_id, .request = delivery.job.request_id},
                              renewal.permit_));
  }
  return renewal;
}

Task<void> Leases::renew_lease(std::string receipt, HoldPtr hold, std::shared_ptr<Signal> over) {
  while (!co_await over->wait_until(clock_.steady_now() + limits::kVisibilityRenewal)) {
    const auto extended = co_await caught("lease renewal", queue_.extend(receipt));
    if (extended) continue;
    log::warn("a job's lease could not be extended", {{"code", extended.error().code}});
    // An engine that is away says nothing of whose the job is: it goes on, and settlement lets one of two win.
    if (extended.error().kind != ErrorKind::not_found) continue;
    hold->lose();
    co_return;
  }
}

Task<void> Leases::renew_permit(RunGate::TicketPtr ticket, LimitedRun run, std::shared_ptr<Signal> over) {
  while (!co_await over->wait_until(clock_.steady_now() + limits::kVisibilityRenewal)) {
    (void)co_await caught("permit renewal", gate_.renew(ticket, run));
  }
}

}  // namespace infra::worker
