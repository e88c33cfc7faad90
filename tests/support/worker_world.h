// What the worker's tests run it in: real threads and a real clock, and ports that live in memory.
#pragma once

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <deque>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/system/background_thread.h"
#include "core/error_codes.h"
#include "core/mutex.h"
#include "ports/bundle_reader.h"
#include "ports/clock.h"
#include "ports/code_store.h"
#include "ports/concurrency_limiter.h"
#include "ports/executor.h"
#include "ports/job_queue.h"
#include "ports/settlement.h"
#include "ports/turns.h"
#include "support/real_waits.h"
#include "telemetry/task_failures.h"

namespace infra::worker {

namespace asio = boost::asio;

// One event thread and a blocking pool.
class TestLoop : public Executor {
 public:
  ~TestLoop() override {
    work_.reset();
    thread_.join();
    blocking_.join();
  }
  void spawn(TaskOwner owner, Task<void> task) override {
    asio::co_spawn(loop_, std::move(task), [owner = std::move(owner)](const std::exception_ptr& failure) {
      if (!failure) return;
      report_task_failure(owner.words, failure);
      if (owner.on_failure) owner.on_failure();
    });
  }
  void spawn_on_each(const TaskOwner& owner, const std::function<Task<void>()>& make) override { spawn(owner, make()); }
  Task<void> yield() override { co_await asio::post(loop_, asio::use_awaitable); }
  Task<bool> readable(int descriptor, milliseconds patience) override {
    asio::posix::stream_descriptor watched(loop_, descriptor);
    asio::steady_timer timer(loop_, patience);
    using asio::experimental::awaitable_operators::operator||;
    const auto first =
        co_await (watched.async_wait(watched.wait_read, asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
    (void)watched.release();
    co_return first.index() == 0;
  }
  Task<void> offload(std::function<void()> work) override {
    co_await asio::co_spawn(
        blocking_,
        [](std::function<void()> f) -> Task<void> {
          f();
          co_return;
        }(std::move(work)),
        asio::use_awaitable);
  }
  std::unique_ptr<Background> background(const char* name, Background::Step step) override {
    return std::make_unique<BackgroundThread>(name, std::move(step));
  }
  // Blocks the test's own thread.
  template <typename T>
  T run(Task<T> task) {
    return asio::co_spawn(loop_, std::move(task), asio::use_future).get();
  }
  asio::io_context& loop() { return loop_; }

 private:
  asio::io_context loop_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{loop_.get_executor()};
  asio::thread_pool blocking_{8};
  std::thread thread_{[this] { loop_.run(); }};
};

class TestSignal : public Signal, public std::enable_shared_from_this<TestSignal> {
 public:
  explicit TestSignal(asio::io_context& loop) : loop_(loop), timer_(loop) {}
  void notify() override {
    asio::post(loop_, [self = shared_from_this()] {
      self->notified_ = true;
      self->timer_.cancel();
    });
  }
  Task<bool> wait_until(SteadyTime deadline) override {
    const auto self = shared_from_this();
    if (!notified_) {
      timer_.expires_at(deadline);
      boost::system::error_code ignored;
      co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    co_return notified_;
  }

 private:
  asio::io_context& loop_;
  asio::steady_timer timer_;
  bool notified_ = false;  // on the loop's thread only
};

class TestClock : public Clock {
 public:
  explicit TestClock(TestLoop& loop) : loop_(loop.loop()) {}
  WallTime now() const override { return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now()); }
  SteadyTime steady_now() const override { return std::chrono::steady_clock::now(); }
  Task<void> sleep_until(SteadyTime deadline) override {
    asio::steady_timer timer(loop_, deadline);
    co_await timer.async_wait(asio::use_awaitable);
  }
  std::shared_ptr<Signal> make_signal() override { return std::make_shared<TestSignal>(loop_); }
  int poll(std::span<pollfd> descriptors, SteadyTime deadline) override {
    return poll_really(*this, descriptors, deadline);
  }
  void pause_until(SteadyTime deadline) override { pause_really(*this, deadline); }

 private:
  asio::io_context& loop_;
};

// A queue whose receive() waits on a condition in steps; leases never run out by themselves.
class MemoryQueue : public JobQueue {
 public:
  explicit MemoryQueue(Clock& clock) : clock_(clock) {}
  void add(Job job, int receives = 1) {
    add(Delivery{.job = std::move(job), .receipt = {}, .receives = receives, .fresh = receives == 1});
  }
  void add(Delivery delivery) {
    const MutexLock lock(mutex_);
    delivery.receipt = "receipt-" + std::to_string(++receipts_);
    waiting_.push_back(std::move(delivery));
  }
  Task<Result<void>> enqueue(const Job& job) override {
    add(job);
    co_return Result<void>();
  }
  void attach(Turns* turns) override {
    const MutexLock lock(mutex_);
    turns_ = turns;
  }
  Task<Result<std::vector<Delivery>>> receive(int max, milliseconds wait) override {
    const auto end = clock_.steady_now() + wait;
    while (true) {
      {
        const MutexLock lock(mutex_);
        std::vector<Delivery> taken;
        for (auto next = waiting_.begin(); next != waiting_.end() && static_cast<int>(taken.size()) < max;) {
          if ((woken_ && next->job.mode == RunMode::async) ||
              (turns_ != nullptr && !turns_->claim(next->job.function_id, next->job.mode))) {
            ++next;
            continue;
          }
          in_flight.insert(next->receipt);
          taken.push_back(std::move(*next));
          next = waiting_.erase(next);
        }
        most_in_flight = std::max(most_in_flight.load(), static_cast<int>(in_flight.size()));
        if (!taken.empty() || woken_ || clock_.steady_now() >= end) co_return taken;
      }
      co_await clock_.sleep_until(clock_.steady_now() + milliseconds(2));
    }
  }
  Task<Result<void>> extend(const std::string&) override { co_return Result<void>(); }
  Task<Result<void>> acknowledge(const std::string& receipt) override {
    const MutexLock lock(mutex_);
    acknowledged.insert(receipt);
    in_flight.erase(receipt);
    co_return Result<void>();
  }
  Task<Result<void>> give_back(const std::string& receipt) override {
    const MutexLock lock(mutex_);
    given_back.insert(receipt);
    in_flight.erase(receipt);
    co_return Result<void>();
  }
  Task<Result<void>> bury(const std::string& receipt, const std::string&) override { return acknowledge(receipt); }
  void wake_receivers() override {
    const MutexLock lock(mutex_);
    woken_ = true;
  }
  Task<Result<QueueDepth>> depth() override { co_return QueueDepth{}; }

  // Read them when the worker is at rest.
  std::atomic<int> most_in_flight = 0;
  std::set<std::string> acknowledged, given_back, in_flight;

 private:
  Clock& clock_;
  Mutex mutex_;
  std::deque<Delivery> waiting_ INFRA_GUARDED_BY(mutex_);
  int receipts_ INFRA_GUARDED_BY(mutex_) = 0;
  bool woken_ INFRA_GUARDED_BY(mutex_) = false;
  Turns* turns_ INFRA_GUARDED_BY(mutex_) = nullptr;
};

// Counts what runs; nobody's time is ever over.
class TestLimiter : public ConcurrencyLimiter {
 public:
  Task<Result<bool>> admit(const LimitedRun& run, int) override {
    const MutexLock lock(mutex_);
    outstanding_.insert(run.request.value);
    co_return true;
  }
  Task<Result<bool>> enter(const LimitedRun& run, int most) override {
    const MutexLock lock(mutex_);
    ++asked;
    if (away) co_return fail(errors::redis_unavailable, "The limiter is away.");
    auto& running = running_[run.function.value];
    if (!running.contains(run.request.value) && std::cmp_greater_equal(running.size(), most)) co_return false;
    running.insert(run.request.value);
    outstanding_.insert(run.request.value);
    co_return true;
  }
  Task<Result<void>> renew(const LimitedRun&, bool) override { co_return Result<void>(); }
  Task<Result<void>> leave(const LimitedRun& run) override {
    const MutexLock lock(mutex_);
    left += static_cast<int>(running_[run.function.value].erase(run.request.value));
    co_return Result<void>();
  }
  Task<Result<void>> withdraw(const LimitedRun& run) override {
    const MutexLock lock(mutex_);
    outstanding_.erase(run.request.value);
    co_return Result<void>();
  }
  Task<Result<void>> finish(const LimitedRun& run) override {
    const MutexLock lock(mutex_);
    running_[run.function.value].erase(run.request.value);
    outstanding_.erase(run.request.value);
    co_return Result<void>();
  }
  // Somebody elsewhere takes a permit, or gives it back.
  void occupy(const std::string& function, const std::string& request) {
    const MutexLock lock(mutex_);
    running_[function].insert(request);
  }
  void vacate(const std::string& function, const std::string& request) {
    const MutexLock lock(mutex_);
    running_[function].erase(request);
  }
  std::size_t outstanding() {
    const MutexLock lock(mutex_);
    return outstanding_.size();
  }
  std::size_t running(const std::string& function) {
    const MutexLock lock(mutex_);
    return running_[function].size();
  }

  std::atomic<int> asked = 0;
  std::atomic<int> left = 0;
  std::atomic<bool> away = false;

 private:
  Mutex mutex_;
  std::map<std::string, std::set<std::string>> running_ INFRA_GUARDED_BY(mutex_);  // by function
  std::set<std::string> outstanding_ INFRA_GUARDED_BY(mutex_);
};

class MemorySettlement : public Settlement {
 public:
  explicit MemorySettlement(MemoryQueue& queue) : queue_(queue) {}
  Task<Result<bool>> is_settled(const Job& job) override {
    const MutexLock lock(mutex_);
    co_return settled_before.contains(job.request_id.value);
  }
  void complete(const Job&, JobResult&) override {}
  Task<Result<void>> settle(const Delivery& delivery, std::shared_ptr<const JobResult> result) override {
    {
      const MutexLock lock(mutex_);
      if (failures_left > 0) {
        --failures_left;
        co_return fail(errors::engine_unavailable, "Not now.");
      }
      results_[result->request_id.value] = *result;
    }
    changed_.notify_all();
    co_return co_await queue_.acknowledge(delivery.receipt);
  }
  // Blocks the test's thread.
  JobResult wait_for(const std::string& id) {
    const MutexLock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!results_.contains(id)) {
      if (!changed_.wait_until(mutex_, deadline)) return {};
    }
    return results_[id];
  }
  bool has(const std::string& id) {
    const MutexLock lock(mutex_);
    return results_.contains(id);
  }

  std::set<std::string> settled_before;
  int failures_left = 0;

 private:
  MemoryQueue& queue_;
  Mutex mutex_;
  CondVar changed_;
  std::map<std::string, JobResult> results_ INFRA_GUARDED_BY(mutex_);
};

// "Bundles" are plain source texts: the store's key is the file's name and the reader unpacks one file.
class SourceBundles : public CodeStore, public BundleReader {
 public:
  explicit SourceBundles(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
  }
  CodeRef add(const std::string& sha256, const std::string& entry, const std::string& source) {
    std::ofstream(folder_ / sha256) << entry << '\n' << source;
    return {.key = sha256, .sha256 = sha256};
  }
  Task<Result<std::filesystem::path>> fetch_bundle(const CodeRef& code) override {
    ++fetches;
    if (away) co_return fail(errors::engine_unavailable, "The store is away.");
    if (!std::filesystem::exists(folder_ / code.key)) co_return fail(errors::code_not_found, "No such code.");
    co_return folder_ / code.key;
  }
  Result<std::vector<BundleEntry>> list(const std::filesystem::path& zip) const override {
    std::ifstream in(zip);
    std::string entry;
    std::getline(in, entry);
    return std::vector{BundleEntry{.name = entry, .packed_bytes = 10, .unpacked_bytes = 10}};
  }
  Result<void> extract(const std::filesystem::path& zip, const std::filesystem::path& directory) const override {
    std::ifstream in(zip);
    std::string entry;
    std::getline(in, entry);
    std::filesystem::create_directory(directory);
    std::ofstream(directory / entry) << in.rdbuf();
    return {};
  }
  Result<void> verify(const std::filesystem::path&) const override { return {}; }
  Result<std::string> read_start(const std::filesystem::path&, std::string_view, std::size_t) const override {
    return std::string();
  }
  Task<Result<void>> put_bundle(const CodeRef&, const std::filesystem::path&) override { co_return Result<void>(); }
  Task<Result<void>> retire_bundle(const CodeRef&) override { co_return Result<void>(); }
  Task<Result<void>> put_object(const std::string&, std::string_view) override { co_return Result<void>(); }
  Task<Result<StoredFile>> put_file(const std::string&, int, std::uint64_t) override { co_return StoredFile(); }
  Task<Result<std::string>> get_object(const std::string&) override { co_return std::string(); }
  Task<Result<void>> remove_object(const std::string&) override { co_return Result<void>(); }

  std::atomic<int> fetches = 0;
  std::atomic<bool> away = false;

 private:
  std::filesystem::path folder_;
};

}  // namespace infra::worker
