// A queue of one job, which it hands out as often as it is asked: what leases have to stand.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ports/job_queue.h"

namespace infra::testing {

class OneJob final : public JobQueue {
 public:
  std::string request = "job";
  bool is_out_of_sight = false;

  Task<Result<void>> enqueue(const Job&) override { co_return Result<void>{}; }
  Task<Result<std::vector<Delivery>>> receive(int, milliseconds) override {
    if (is_out_of_sight) co_return std::vector<Delivery>();
    Job job;
    job.request_id = {request};
    job.function_id = {"f"};
    std::vector<Delivery> deliveries;
    deliveries.push_back({.job = std::move(job), .receipt = request, .receives = 1, .fresh = true});
    co_return deliveries;
  }
  Task<Result<void>> extend(const std::string&) override { co_return Result<void>{}; }
  Task<Result<void>> acknowledge(const std::string&) override { co_return Result<void>{}; }
  Task<Result<void>> give_back(const std::string&) override { co_return Result<void>{}; }
  Task<Result<void>> bury(const std::string&, const std::string&) override { co_return Result<void>{}; }
  void wake_receivers() override {}
  Task<Result<QueueDepth>> depth() override { co_return QueueDepth{}; }

  static Task<void> never_mind(std::string, milliseconds) { co_return; }  // as LeasedJobQueue's postponing
};

}  // namespace infra::testing
