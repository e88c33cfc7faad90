// Where a simulated program's coroutines run, as Asio sees it: each continuation is a step of the scheduler's.
#pragma once

#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <string_view>
#include <utility>

#include "platform/scheduler.h"

namespace infra::sim {

class StepExecutor {
 public:
  StepExecutor(Scheduler& scheduler, Process& process, std::string_view words)
      : scheduler_(&scheduler), process_(&process), words_(words) {}

  [[nodiscard]] Scheduler& scheduler() const { return *scheduler_; }
  [[nodiscard]] Process& process() const { return *process_; }
  [[nodiscard]] std::string_view words() const { return words_; }  // of the task's owner

  // What Asio asks of an executor: it has a context, which is used for nothing, and never runs anything at once.
  [[nodiscard]] boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept {
    static boost::asio::execution_context context;
    return context;
  }
  static constexpr boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) noexcept {
    return boost::asio::execution::blocking.never;
  }
  template <typename Function>
  void execute(Function function) const {
    scheduler_->post(*process_, std::move(function));
  }
  friend bool operator==(const StepExecutor& a, const StepExecutor& b) noexcept { return a.process_ == b.process_; }
  friend bool operator!=(const StepExecutor& a, const StepExecutor& b) noexcept { return !(a == b); }

 private:
  Scheduler* scheduler_;
  Process* process_;
  std::string_view words_;
};

}  // namespace infra::sim
