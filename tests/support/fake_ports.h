// Fakes of the ports that use cases are tested with: in memory, recording the order of calls, failing when told to.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/error_codes.h"
#include "ports/bundle_reader.h"
#include "ports/code_store.h"
#include "ports/concurrency_limiter.h"
#include "ports/function_observer.h"
#include "ports/function_store.h"
#include "ports/job_queue.h"
#include "ports/log_store.h"
#include "ports/quarantine.h"
#include "ports/random.h"
#include "ports/result_bus.h"
#include "ports/run_recorder.h"
#include "support/inline_executor.h"

namespace infra::fakes {

// What was called, in order, over all fakes of a test; and which call is to fail.
struct Journal {
  std::vector<std::string> calls;
  std::string failing;
  std::string also_failing = {};
  std::string failing_after = {};  // does what it is asked, and its answer is lost

  Result<void> note(const std::string& call) {
    calls.push_back(call);
    if (call == failing || call == also_failing) return refuse();
    return {};
  }
  [[nodiscard]] Result<void> answer(const std::string& call) const {
    if (call == failing_after) return refuse();
    return {};
  }

 private:
  static Result<void> refuse() { return fail(errors::engine_unavailable, "told to fail"); }
};

class CountingRandom : public Random {
 public:
  void fill(std::span<std::byte> out) override {
    for (auto& byte : out) byte = static_cast<std::byte>(next_++);
  }

 private:
  unsigned next_ = 0;
};

class FakeFunctions : public FunctionStore {
 public:
  explicit FakeFunctions(Journal& journal) : journal_(journal) {}
  std::map<FunctionId, Function> rows;

  Task<Result<void>> insert(const Function& function) override {
    if (auto ok = journal_.note("functions.insert"); !ok) co_return ok;
    rows[function.id] = function;
    co_return journal_.answer("functions.insert");
  }
  Task<Result<Function>> find(const FunctionId& id) override {
    if (auto ok = journal_.note("functions.find"); !ok) co_return fail(ok.error());
    if (!rows.contains(id)) co_return fail(errors::function_not_found, "none");
    co_return rows[id];
  }
  Task<Result<Function>> find_current(const FunctionId& id) override { return find(id); }
  Task<Result<Function>> update(const FunctionId& id, const FunctionChange& change, WallTime now) override {
    if (auto ok = journal_.note("functions.update"); !ok) co_return fail(ok.error());
    if (!rows.contains(id)) co_return fail(errors::function_not_found, "none");
    const Function before = rows[id];
    rows[id] = apply(before, change, now);
    if (auto ok = journal_.answer("functions.update"); !ok) co_return fail(ok.error());
    co_return before;
  }
  Task<Result<Function>> remove(const FunctionId& id) override {
    if (auto ok = journal_.note("functions.remove"); !ok) co_return fail(ok.error());
    if (!rows.contains(id)) co_return fail(errors::function_not_found, "none");
    co_return rows.extract(id).mapped();
  }
  // At most two a page; the cursor is the first id of the next.
  Task<Result<FunctionPage>> list(int limit, const std::string& cursor) override {
    if (auto ok = journal_.note("functions.list"); !ok) co_return fail(ok.error());
    FunctionPage page;
    auto row = rows.lower_bound({cursor});
    for (; row != rows.end() && std::cmp_less(page.functions.size(), std::min(limit, 2)); ++row)
      page.functions.push_back(row->second);
    if (row != rows.end()) page.next_cursor = row->first.value;
    co_return page;
  }

 private:
  Journal& journal_;
};

// What it was told, with one number of the function's.
class FakeObserver : public FunctionObserver {
 public:
  explicit FakeObserver(int Function::* shown) : shown_(shown) {}
  std::vector<std::string> told;
  void deployed(const Function& function) override {
    told.push_back(function.id.value + ' ' + std::to_string(function.*shown_));
  }
  void removed(const FunctionId& id) override { told.push_back(id.value + " is gone"); }

 private:
  int Function::* shown_;
};

class FakeCode : public CodeStore {
 public:
  explicit FakeCode(Journal& journal) : journal_(journal) {}
  std::vector<std::string> retired;

  Task<Result<void>> put_bundle(const CodeRef&, const std::filesystem::path&) override {
    co_return journal_.note("code.put_bundle");
  }
  Task<Result<std::filesystem::path>> fetch_bundle(const CodeRef&) override { co_return std::filesystem::path(); }
  Task<Result<void>> retire_bundle(const CodeRef& code) override {
    retired.push_back(code.sha256);
    co_return journal_.note("code.retire_bundle");
  }
  Task<Result<void>> put_object(const std::string&, std::string_view) override { co_return Result<void>{}; }
  Task<Result<StoredFile>> put_file(const std::string&, int, std::uint64_t) override { co_return StoredFile{}; }
  Task<Result<std::string>> get_object(const std::string&) override { co_return std::string(); }
  Task<Result<void>> remove_object(const std::string&) override { co_return Result<void>{}; }

 private:
  Journal& journal_;
};

class FakeQueue : public JobQueue {
 public:
  explicit FakeQueue(Journal& journal) : journal_(journal) {}
  std::vector<Job> jobs;

  Task<Result<void>> enqueue(const Job& job) override {
    if (auto ok = journal_.note("queue.enqueue"); !ok) co_return ok;
    jobs.push_back(job);
    co_return Result<void>{};
  }
  Task<Result<std::vector<Delivery>>> receive(int, milliseconds) override { co_return std::vector<Delivery>{}; }
  Task<Result<void>> extend(const std::string&) override { co_return journal_.note("queue.extend"); }
  Task<Result<void>> acknowledge(const std::string&) override { co_return journal_.note("queue.acknowledge"); }
  Task<Result<void>> give_back(const std::string&) override { co_return journal_.note("queue.give_back"); }
  Task<Result<void>> bury(const std::string&, const std::string&) override { co_return journal_.note("queue.bury"); }
  void wake_receivers() override {}
  Task<Result<QueueDepth>> depth() override { co_return QueueDepth{}; }

 private:
  Journal& journal_;
};

// Admits as many as it is told to, all of one function.
class FakeLimiter : public ConcurrencyLimiter {
 public:
  explicit FakeLimiter(Journal& journal) : journal_(journal) {}
  std::set<std::string> outstanding;  // request ids

  Task<Result<bool>> admit(const LimitedRun& run, int most) override {
    if (auto ok = journal_.note("limiter.admit"); !ok) co_return fail(ok.error());
    if (std::cmp_greater_equal(outstanding.size(), most)) co_return false;
    outstanding.insert(run.request.value);
    co_return true;
  }
  Task<Result<bool>> enter(const LimitedRun&, int) override { co_return true; }
  Task<Result<void>> renew(const LimitedRun&, bool) override { co_return Result<void>{}; }
  Task<Result<void>> leave(const LimitedRun&) override { co_return Result<void>{}; }
  Task<Result<void>> withdraw(const LimitedRun& run) override {
    outstanding.erase(run.request.value);
    co_return journal_.note("limiter.withdraw");
  }
  Task<Result<void>> finish(const LimitedRun& run) override {
    outstanding.erase(run.request.value);
    co_return journal_.note("limiter.finish");
  }

 private:
  Journal& journal_;
};

// Versions that are in quarantine, for as long as it says.
class FakeQuarantine : public Quarantine {
 public:
  std::map<CodeVersion, milliseconds> lasting;
  std::vector<RequestId> lost;

  [[nodiscard]] std::optional<milliseconds> remaining(const FunctionId& function, const CodeRef& code) const override {
    const auto found = lasting.find(version_of(function, code));
    return found == lasting.end() ? std::nullopt : std::optional(found->second);
  }
  Task<void> note_lost(const Job& job) override {
    lost.push_back(job.request_id);
    co_return;
  }
};

class FakeWaiter : public ResultWaiter {
 public:
  explicit FakeWaiter(Result<SharedResult> outcome) : outcome_(std::move(outcome)) {}
  Task<Result<SharedResult>> wait_until(SteadyTime) override { co_return outcome_; }

 private:
  Result<SharedResult> outcome_;
};

class FakeResults : public ResultBus {
 public:
  explicit FakeResults(Journal& journal) : journal_(journal) {}
  Result<SharedResult> outcome = std::make_shared<const JobResult>();
  std::vector<SharedResult> published;
  SharedResult stored;  // what find() gives; null: not found

  Task<Result<std::unique_ptr<ResultWaiter>>> expect(const RequestId&) override {
    if (auto ok = journal_.note("results.expect"); !ok) co_return fail(ok.error());
    co_return std::make_unique<FakeWaiter>(outcome);
  }
  [[nodiscard]] std::string reply_channel() const override { return "here"; }
  Task<Result<void>> mark_pending(const RequestId&) override { co_return journal_.note("results.mark_pending"); }
  Task<Result<void>> forget(const RequestId&) override { co_return journal_.note("results.forget"); }
  Task<Result<void>> publish(const Job&, SharedResult result) override {
    published.push_back(std::move(result));
    co_return journal_.note("results.publish");
  }
  Task<Result<StoredResult>> find(const RequestId&) override {
    if (stored) co_return StoredResult{to_json(*stored)};
    co_return fail(errors::unknown_job, "none");
  }
  void abandon_waiters() override {}

 private:
  Journal& journal_;
};

class FakeLogs : public LogStore {
 public:
  explicit FakeLogs(Journal& journal) : journal_(journal) {}
  std::map<std::pair<std::string, std::string>, LogRow> rows;

  // The cursor is the last timestamp.
  Task<Result<LogPage>> list(const LogQuery& query) override {
    if (auto ok = journal_.note("logs.list"); !ok) co_return fail(ok.error());
    const std::string from = query.start ? to_iso8601(*query.start) : "";
    LogPage page;
    for (const auto& [key, row] : rows | std::views::reverse) {
      if (key.first != query.function_id.value || key.second.substr(0, 23) < from.substr(0, 23)) continue;
      if (!query.cursor.empty() && key.second >= query.cursor) continue;
      if (std::cmp_equal(page.rows.size(), query.limit)) {
        page.next_cursor = page.rows.back().timestamp;
        break;
      }
      if (query.trace_id.empty() || row.trace_id == query.trace_id) page.rows.push_back(row);
    }
    co_return page;
  }
  Task<Result<LogRow>> find(const FunctionId& function, const RequestId& request) override {
    if (auto ok = journal_.note("logs.find"); !ok) co_return fail(ok.error());
    for (const auto& [key, row] : rows) {
      if (key.first == function.value && row.request_id == request) co_return row;
    }
    co_return fail(errors::log_not_found, "none");
  }

 private:
  Journal& journal_;
};

class FakeRecorder : public RunRecorder {
 public:
  FakeRecorder(Journal& journal, FakeLogs& logs) : journal_(journal), logs_(logs) {}

  Task<Result<bool>> record(const LogRow& row) override {
    if (auto ok = journal_.note("recorder.record"); !ok) co_return fail(ok.error());
    co_return logs_.rows.emplace(std::pair(row.function_id.value, row.timestamp), row).second;
  }

 private:
  Journal& journal_;
  FakeLogs& logs_;
};

// A bundle with these entries, of which one has something in it.
class FakeReader : public BundleReader {
 public:
  std::vector<BundleEntry> entries = {{.name = "main.py"}};
  [[nodiscard]] Result<std::vector<BundleEntry>> list(const std::filesystem::path&) const override { return entries; }
  [[nodiscard]] Result<void> extract(const std::filesystem::path&, const std::filesystem::path&) const override {
    return {};
  }
  [[nodiscard]] Result<void> verify(const std::filesystem::path&) const override { return {}; }
  [[nodiscard]] Result<std::string> read_start(const std::filesystem::path&, std::string_view name,
                                               std::size_t) const override {
    return name == "main" ? program : "";
  }
  std::string program;  // what the bundle has as "main"
};

}  // namespace infra::fakes
