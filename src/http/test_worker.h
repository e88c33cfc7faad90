// A worker beside the HTTP interface under test: queue and result bus in one, in memory. A job is run and settled as
// soon as it is queued, by the real settlement.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "app/settle_in_steps.h"
#include "app/settle_job.h"
#include "core/error_codes.h"
#include "ports/job_queue.h"
#include "ports/result_bus.h"
#include "support/fake_ports.h"
#include "telemetry/metrics.h"

namespace infra::http {

class TestWorker final : public JobQueue, public ResultBus {
 public:
  TestWorker(fakes::Journal& journal, fakes::FakeLogs& logs, const Clock& clock, EventRing& events, Metrics& metrics)
      : journal_(journal), recorder_(journal, logs), settle_(store_, *this, logs, clock, events, &metrics) {}

  // Gives back what it was given.
  static JobResult echo(const Job& job) {
    JobResult result;
    result.request_id = job.request_id;
    result.function_id = job.function_id;
    result.status = RunStatus::success;
    result.value = job.input;
    result.duration_ms = 12.5;
    result.handler_ms = 10.25;
    result.allocated_memory_mb = job.memory_mb;
    result.peak_memory_bytes = 20 << 20;
    return result;
  }
  std::function<std::optional<JobResult>(const Job&)> outcome = echo;  // none: it is still running
  std::vector<Job> jobs;

  Task<Result<void>> enqueue(const Job& job) override {
    if (auto ok = journal_.note("queue.enqueue"); !ok) co_return ok;
    jobs.push_back(job);
    auto result = outcome(job);
    if (!result) co_return Result<void>{};
    settle_.complete(job, *result);
    co_return co_await settle_.settle({.job = job, .receipt = "r"},
                                      std::make_shared<const JobResult>(std::move(*result)));
  }
  Task<Result<std::vector<Delivery>>> receive(int, milliseconds) override { co_return std::vector<Delivery>{}; }
  Task<Result<void>> extend(const std::string&) override { co_return Result<void>{}; }
  Task<Result<void>> acknowledge(const std::string&) override { co_return Result<void>{}; }
  Task<Result<void>> give_back(const std::string&) override { co_return Result<void>{}; }
  Task<Result<void>> bury(const std::string&, const std::string&) override { co_return Result<void>{}; }
  void wake_receivers() override {}
  Task<Result<QueueDepth>> depth() override { co_return QueueDepth{}; }

  Task<Result<std::unique_ptr<ResultWaiter>>> expect(const RequestId& id) override {
    if (auto ok = journal_.note("results.expect"); !ok) co_return fail(ok.error());
    co_return std::make_unique<Waiter>(*this, id);
  }
  [[nodiscard]] std::string reply_channel() const override { return ""; }
  Task<Result<void>> mark_pending(const RequestId& id) override {
    if (auto ok = journal_.note("results.mark_pending"); !ok) co_return ok;
    results_[id];
    co_return Result<void>{};
  }
  Task<Result<void>> forget(const RequestId& id) override {
    results_.erase(id);
    co_return Result<void>{};
  }
  Task<Result<void>> publish(const Job& job, SharedResult result) override {
    results_[job.request_id] = std::move(result);
    co_return Result<void>{};
  }
  Task<Result<StoredResult>> find(const RequestId& id) override {
    if (auto ok = journal_.note("results.find"); !ok) co_return fail(ok.error());
    const auto found = results_.find(id);
    if (found == results_.end()) co_return fail(errors::job_not_found, "There is no such job.");
    co_return StoredResult{found->second ? to_json(*found->second) : std::string()};
  }
  void abandon_waiters() override { abandoned_ = true; }

 private:
  // The time to wait has passed if there is no result: jobs end at once or not at all.
  class Waiter final : public ResultWaiter {
   public:
    Waiter(const TestWorker& worker, RequestId id) : worker_(worker), id_(std::move(id)) {}
    Task<Result<SharedResult>> wait_until(SteadyTime) override {
      const auto found = worker_.results_.find(id_);
      if (found != worker_.results_.end()) co_return found->second;
      if (worker_.abandoned_) co_return fail(errors::shutting_down, "The platform stops.");
      co_return fail(errors::internal.as(ErrorKind::timeout), "The time is over.");
    }

   private:
    const TestWorker& worker_;
    RequestId id_;
  };

  fakes::Journal& journal_;
  fakes::FakeRecorder recorder_;
  std::map<RequestId, SharedResult> results_;  // null: accepted
  bool abandoned_ = false;
  app::SettleInSteps store_{*this, recorder_, *this};
  app::SettleJob settle_;
};

}  // namespace infra::http
