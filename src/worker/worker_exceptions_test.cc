// An exception under a job costs that job, wherever it comes from: it is settled as ERROR, what it had begun is undone,
// and the next one runs.
#include <stdexcept>

#include "telemetry/task_failures.h"
#include "worker/test_worker.h"

namespace infra::worker {
namespace {

// Ports that break when they are told to, as nothing that they stand for is meant to.
class BreakingBundles : public SourceBundles {
 public:
  using SourceBundles::SourceBundles;
  Task<Result<fs::path>> fetch_bundle(const CodeRef& code) override {
    if (break_fetch.exchange(false)) throw std::runtime_error("fetch");
    co_return co_await SourceBundles::fetch_bundle(code);
  }
  Result<void> extract(const fs::path& zip, const fs::path& directory) const override {
    auto extracted = SourceBundles::extract(zip, directory);
    if (break_extract.exchange(false)) throw std::runtime_error("extract");
    return extracted;
  }

  std::atomic<bool> break_fetch = false;
  mutable std::atomic<bool> break_extract = false;
};

class BreakingLimiter : public TestLimiter {
 public:
  Task<Result<bool>> enter(const LimitedRun& run, int most) override {
    if (break_enter.exchange(false)) throw std::runtime_error("enter");
    co_return co_await TestLimiter::enter(run, most);
  }
  Task<Result<void>> leave(const LimitedRun& run) override {
    const auto left_it = co_await TestLimiter::leave(run);
    if (break_leave.exchange(false)) throw std::runtime_error("leave");
    co_return left_it;
  }

  std::atomic<bool> break_enter = false;
  std::atomic<bool> break_leave = false;
};

class BreakingSettlement : public Settlement {
 public:
  explicit BreakingSettlement(Settlement& real) : real_(real) {}
  Task<Result<bool>> is_settled(const Job& job) override { return real_.is_settled(job); }
  void complete(const Job& job, JobResult& result) override { real_.complete(job, result); }
  Task<Result<void>> settle(const Delivery& delivery, std::shared_ptr<const JobResult> result) override {
    if (break_settle.exchange(false)) throw std::runtime_error("settle");
    co_return co_await real_.settle(delivery, std::move(result));
  }

  std::atomic<bool> break_settle = false;

 private:
  Settlement& real_;
};

class BreakingSandbox : public sandbox::Sandbox {
 public:
  BreakingSandbox(std::unique_ptr<Sandbox> real, std::atomic<bool>& break_look, std::atomic<bool>& break_output)
      : real_(std::move(real)), break_look_(break_look), break_output_(break_output) {}
  sandbox::SandboxHandles& handles() override { return real_->handles(); }
  void kill() override { real_->kill(); }
  sandbox::SandboxExit wait(milliseconds patience) override { return real_->wait(patience); }
  sandbox::SandboxUsage usage() override { return real_->usage(); }
  void reset_peak() override { real_->reset_peak(); }
  sandbox::SandboxState look() override {
    if (break_look_.exchange(false)) throw std::runtime_error("look");
    return real_->look();
  }
  void freeze() override { real_->freeze(); }
  void thaw() override { real_->thaw(); }
  bool has_output() override { return real_->has_output(); }
  sandbox::OutputTree take_output(milliseconds patience) override {
    if (break_output_.exchange(false)) throw std::runtime_error("output");
    return real_->take_output(patience);
  }

 private:
  std::unique_ptr<Sandbox> real_;
  std::atomic<bool>& break_look_;    // when it is started, and after each call
  std::atomic<bool>& break_output_;  // after a cold call
};

class BreakingLauncher : public sandbox::Launcher {
 public:
  explicit BreakingLauncher(Launcher& real) : real_(real) {}
  Result<std::unique_ptr<sandbox::Sandbox>> launch(const sandbox::LaunchRequest& request) override {
    if (break_launch.exchange(false)) throw std::runtime_error("launch");
    auto launched = real_.launch(request);
    if (!launched) return launched;
    return std::make_unique<BreakingSandbox>(std::move(*launched), break_look, break_output);
  }
  int capacity() const override { return real_.capacity(); }

  std::atomic<bool> break_launch = false;
  std::atomic<bool> break_look = false;
  std::atomic<bool> break_output = false;

 private:
  Launcher& real_;
};

class WorkerExceptionsTest : public WorkerTest {
 protected:
  WorkerExceptionsTest() {
    worker_.reset();
    worker_.emplace(WorkerDeps{.queue = queue_,
                               .code = code_,
                               .bundles = code_,
                               .settlement = breaking_settlement_,
                               .launcher = breaking_launcher_,
                               .limiter = breaking_limiter_,
                               .ai = nullptr,
                               .executor = loop_,
                               .clock = clock_,
                               .versions_root = root_ / "versions",
                               .id = {"w-1"},
                               .on_finished =
                                   [this](const JobResult&, const Job&) {
                                     if (break_finished_.exchange(false)) throw std::runtime_error("finished");
                                   }},
                    WorkerOptions{.max_concurrent = 2});
  }
  // The worker goes before what it was given.
  ~WorkerExceptionsTest() override {
    drain(milliseconds(0));
    worker_.reset();
  }

  // As many times as would use up places, slots and permits, if one were lost each time.
  void expect_costs_one_job(std::atomic<bool>& breaks, int max_concurrency = 0) {
    const Job job = greeting(max_concurrency);
    for (int i = 0; i < 6; ++i) {
      breaks = true;
      const auto broken = again(job);
      EXPECT_FALSE(breaks);
      EXPECT_EQ(broken.status, RunStatus::error) << i;
      EXPECT_EQ(broken.error_code, errors::internal) << i;
      EXPECT_THAT(broken.error_message, HasSubstr("request id"));
    }
    expect_runs(job);
    EXPECT_TRUE(folders_of_others().empty()) << folders_of_others().front();
  }

  void expect_runs(const Job& job) {
    const auto result = again(job);
    EXPECT_EQ(result.status, RunStatus::success) << result.error_message;
    EXPECT_EQ(result.value, R"("hello")");
  }

  Job greeting(int max_concurrency = 0) {
    Job job = python("def handler(event, context):\n    return 'hello'\n");
    job.max_concurrency = max_concurrency;
    return job;
  }

  std::vector<fs::path> folders_of_others() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(root_ / "versions")) {
      if (entry.path().filename().string().contains("tmp")) found.push_back(entry.path());
    }
    return found;
  }

  BreakingBundles code_{root_ / "bundles"};
  BreakingSettlement breaking_settlement_{settlement_};
  BreakingLauncher breaking_launcher_{*launcher_};
  BreakingLimiter breaking_limiter_;
  std::atomic<bool> break_finished_ = false;
};

TEST_F(WorkerExceptionsTest, InFetchingTheCode) {
  expect_costs_one_job(code_.break_fetch);
}

TEST_F(WorkerExceptionsTest, InUnpackingIt) {
  expect_costs_one_job(code_.break_extract);
}

TEST_F(WorkerExceptionsTest, InUnpackingItAtItsUpload) {
  const Job job = greeting();
  code_.break_extract = true;
  const auto prepared = loop_.run(
      worker_->preparer().prepare(root_ / "bundles" / job.code.key, job.code.sha256, Runtime::python, "test"));
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code, errors::internal);
  expect_runs(job);
}

TEST_F(WorkerExceptionsTest, InLaunching) {
  expect_costs_one_job(breaking_launcher_.break_launch);
}

TEST_F(WorkerExceptionsTest, InStartingAnInstance) {
  expect_costs_one_job(breaking_launcher_.break_look);
}

TEST_F(WorkerExceptionsTest, InACall) {
  expect_costs_one_job(breaking_launcher_.break_output);
}

TEST_F(WorkerExceptionsTest, InAWarmCall) {
  const Job job = greeting();
  expect_runs(job);
  breaking_launcher_.break_look = true;
  EXPECT_EQ(again(job).error_code, errors::internal);
  expect_runs(job);
}

TEST_F(WorkerExceptionsTest, InTakingAPermit) {
  expect_costs_one_job(breaking_limiter_.break_enter, 1);
}

TEST_F(WorkerExceptionsTest, InGivingAPermitBack) {
  expect_costs_one_job(breaking_limiter_.break_leave, 1);
}

TEST_F(WorkerExceptionsTest, InSettlingItIsTriedAgain) {
  breaking_settlement_.break_settle = true;
  expect_runs(greeting());
  EXPECT_FALSE(breaking_settlement_.break_settle);
}

TEST_F(WorkerExceptionsTest, AfterItsSettlementTheResultStays) {
  break_finished_ = true;
  expect_runs(greeting());
  eventually([&] { return !break_finished_; });
  expect_runs(greeting());
}

}  // namespace
}  // namespace infra::worker
