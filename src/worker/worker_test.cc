// The worker with real runners, without isolation: each way a function can end has its result, and the loop keeps its
// bounds.
#include "worker/worker.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <thread>

#include "core/error_codes.h"
#include "core/text.h"
#include "worker/test_worker.h"

namespace infra::worker {

sandbox::RunnerFolders test_runners() {
  return {.runtimes = INFRA_RUNTIMES, .native = INFRA_NATIVE_RUNNER};
}

namespace {

using ::testing::EndsWith;

TEST_F(WorkerTest, ResultCarriesWhatWasPrintedAndReturned) {
  Job job = python(
      "import os\ndef handler(e, c):\n  print('hello')\n  return {'e': e, 'env': os.environ['A'], 'n': 3.1, "
      "'m': c.model_id, 'job': os.environ['JOB_ID']}");
  job.input = R"({"x":1.0})";
  job.env = {{"A", "b"}, {"JOB_ID", "not this"}};
  const auto result = run(job);
  EXPECT_EQ(result.status, RunStatus::success) << result.err;
  EXPECT_EQ(result.value, R"({"e":{"x":1.0},"env":"b","n":3.1,"m":"llama3:8b","job":"r-1"})");
  EXPECT_EQ(result.out, "hello\n" + result.value);
  EXPECT_EQ(result.worker_id.value, "w-1");
  EXPECT_TRUE(result.cold_start);
  EXPECT_TRUE(result.handler_ms.has_value());
  EXPECT_GT(result.peak_memory_bytes, 1'000'000);
  EXPECT_GT(result.cpu_usage_us, 0);
  EXPECT_GT(result.duration_ms, 0);
}

TEST_F(WorkerTest, InstancesStayWarmAndAreNotSharedBetweenFunctions) {
  const std::string source = "import os\nn = 0\ndef handler(e, c):\n  global n; n += 1\n  return f'{os.getpid()} {n}'";
  const Job job = python(source);
  const auto first = run(job);
  const auto second = again(job);
  EXPECT_TRUE(first.cold_start);
  EXPECT_FALSE(second.cold_start);
  const std::string pid = first.out.substr(0, first.out.find(' '));
  EXPECT_EQ(first.value, '"' + pid + " 1\"");
  EXPECT_EQ(second.out, pid + " 2");
  EXPECT_EQ(bundles_.fetches, 1);

  Job other = job;  // the same code, another function
  other.function_id.value = "f-other";
  EXPECT_TRUE(again(other).cold_start);
  EXPECT_FALSE(again(job).cold_start);
}

TEST_F(WorkerTest, NewCodeReplacesTheOldInstances) {
  const Job old = python("def handler(): return 'old'");
  run(old);
  Job changed = old;
  changed.code = bundles_.add(std::string(64, 'b'), "main.py", "def handler(): return 'new'");
  const auto result = again(changed);
  EXPECT_EQ(result.out, "new");
  eventually([&] { return worker_->status().pools[Runtime::python] == 1; });  // the old one was ended
  EXPECT_EQ(again(old).out, "old");
}

TEST_F(WorkerTest, NewVariablesReplaceTheOldInstances) {
  Job job = python("import os\nloaded = os.environ.get('A')\ndef handler(): return [loaded, os.environ.get('A')]");
  EXPECT_EQ(run(job).value, "[null,null]");
  job.env = {{"A", "b"}};
  const auto changed = again(job);
  EXPECT_EQ(changed.value, R"(["b","b"])");
  EXPECT_TRUE(changed.cold_start);
  EXPECT_FALSE(again(job).cold_start);
}

TEST_F(WorkerTest, WhatIsReturnedIsPrintedAsItsRuntimePrintsIt) {
  for (const auto& [value, printed] : std::map<std::string, std::string>{{"True", "True"},
                                                                         {"False", "False"},
                                                                         {"None", ""},
                                                                         {"'true'", "true"},
                                                                         {"[True]", "[true]"},
                                                                         {"1.5", "1.5"}})
    EXPECT_EQ(run(python("def handler(): return " + value)).out, printed) << value;
  EXPECT_EQ(run(python("def handler(): return True")).value, "true");
  EXPECT_EQ(run(node("exports.handler = () => true")).out, "true");
}

TEST_F(WorkerTest, EachWayToFailHasItsMessage) {
  expect_failed(run(python("def handler(e, c): raise ValueError('bad')")), "handler_error", "ValueError: bad");
  expect_failed(run(python("import nothing_like_this\ndef handler(): pass")), "import_error",
                "No module named 'nothing_like_this'");
  expect_failed(run(python("handler = 1")), "handler_missing", "handler(event, context)");
  expect_failed(run(python("def handler(): return {1}")), "result_not_json", "set");
  expect_failed(run(python("import os\ndef handler(): os._exit(7)")), "exited", "exit code 7");
  expect_failed(run(python("import os\ndef handler(): os.kill(os.getpid(), 11)")), "crashed", "signal 11 (SIGSEGV)");
  expect_failed(run(node("console.log('in'); process.exit(3)")), "exited", "exit code 3");
  expect_failed(run(node("process.kill(process.pid, 'SIGSEGV')")), "crashed", "signal 11 (SIGSEGV)");
  expect_failed(run(job(Runtime::cpp, "main", "#!/bin/sh")), "invalid_executable", "is a script");
  const std::string nest = "def handler():\n  a = 1\n  for i in range(700): a = [a]\n  return a";
  expect_failed(run(python(nest)), "result_not_json", "levels deep");
  const auto once = run(python("def handler(e, c): raise KeyError('o' + 'nce')")).err;
  EXPECT_EQ(once.find("KeyError: 'once'"), once.rfind("KeyError: 'once'"));
}

TEST_F(WorkerTest, AFunctionThatWritesIntoTheSocketSpoilsOnlyItself) {
  const Job job = node(
      "const fs = require('fs'); exports.handler = (e) => { if (e === 1) fs.writeSync(3, 'garbage!!!'); return 5 }");
  Job bad = job;
  bad.input = "1";
  expect_failed(run(bad), "runner_broken", "could not be read");
  EXPECT_EQ(again(job).value, "5");
}

TEST_F(WorkerTest, TimeoutKillsEveryProcessAndKeepsWhatWasPrinted) {
  Job job = python(
      "import os, subprocess, time\ndef handler(e, c):\n  p = subprocess.Popen(['/bin/sleep', '1000'])\n"
      "  print(p.pid, flush=True)\n  time.sleep(1000)");
  job.timeout = milliseconds(700);
  const auto result = run(job);
  EXPECT_EQ(result.status, RunStatus::timeout);
  EXPECT_THAT(result.err, EndsWith("The function did not finish within its 700 ms."));
  const int child = std::atoi(result.out.c_str());
  ASSERT_GT(child, 1);
  // A zombie that nobody reaps yet still has its number; it no longer runs.
  eventually([&] {
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    std::string number, name, state;
    return !(stat >> number >> name >> state) || state == "Z";
  });
}

TEST_F(WorkerTest, OutputIsCutWithANote) {
  const auto result =
      run(python("import sys\ndef handler():\n  print('é' * 2_000_000)\n  sys.stderr.write('short')\n  return 1"));
  EXPECT_EQ(result.status, RunStatus::success);
  EXPECT_LT(result.out.size(), limits::kMaxOutputBytes + 100);
  EXPECT_GT(result.out.size(), limits::kMaxOutputBytes - 100);
  EXPECT_THAT(result.out, EndsWith("\n[cut: 1 MiB of output is kept]\n1"));
  EXPECT_TRUE(is_valid_utf8(result.out));
  EXPECT_EQ(result.err, "short");
}

TEST_F(WorkerTest, LargeInputAndResultPass) {
  Job job = python("def handler(e): return e");
  job.input = '"' + std::string(5'000'000, 'x') + '"';
  EXPECT_EQ(run(job).value, job.input);
}

TEST_F(WorkerTest, TakesNoMoreJobsThanItHasSlotsFor) {
  const Job gate = python("import os, time\ndef handler(e):\n  while not os.path.exists(e): time.sleep(0.01)");
  const auto open = root_ / "open";
  for (int i = 0; i < 5; ++i) {
    Job job = gate;
    job.request_id.value = "g-" + std::to_string(i);
    job.input = '"' + open.string() + '"';
    queue_.add(job);
  }
  start();
  eventually([&] { return worker_->status().active_jobs == 2; });
  EXPECT_EQ(run(python("def handler(): return 'other'")).out, "other") << "there are slots for who has nothing running";
  EXPECT_EQ(queue_.most_in_flight, 3);
  std::ofstream(open) << "";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(settlement_.wait_for("g-" + std::to_string(i)).status, RunStatus::success);
  EXPECT_EQ(queue_.most_in_flight, 3);
  eventually([&] { return finished_ == 6; });
}

TEST_F(WorkerTest, AJobThatWasSettledOrLostTooOftenDoesNotRun) {
  Job settled = python("def handler(): return 1");
  settlement_.settled_before.insert(settled.request_id.value);
  queue_.add(settled, 2);
  Job lost = python("def handler(): return 1");
  queue_.add(lost, limits::kMaxReceives + 1);
  start();
  const auto result = settlement_.wait_for(lost.request_id.value);
  EXPECT_EQ(result.status, RunStatus::error);
  EXPECT_EQ(result.error_code, "worker_lost");
  drain(milliseconds(10'000));
  EXPECT_FALSE(settlement_.has(settled.request_id.value));
  EXPECT_EQ(queue_.acknowledged.size(), 2U);
  EXPECT_EQ(bundles_.fetches, 0);
}

TEST_F(WorkerTest, AJobWhoseInputIsGoneIsSettledUnlessItWasBefore) {
  const Error gone{errors::input_lost, "It is gone."};
  Job settled = python("def handler(): return 1");
  settlement_.settled_before.insert(settled.request_id.value);
  queue_.add({.job = settled, .receipt = {}, .fresh = false, .cannot_run = gone});
  Job lost = python("def handler(): return 1");
  queue_.add({.job = lost, .receipt = {}, .fresh = false, .cannot_run = gone});
  start();
  EXPECT_EQ(settlement_.wait_for(lost.request_id.value).error_code, "input_lost");
  drain(milliseconds(10'000));
  EXPECT_FALSE(settlement_.has(settled.request_id.value));
  EXPECT_EQ(queue_.acknowledged.size(), 2U);
}

TEST_F(WorkerTest, AJobThatNobodyCanRunIsSettledWithItsReasonAndStartsNothing) {
  Job job = python("def handler(): return 1");
  queue_.add({.job = job, .receipt = {}, .cannot_run = Error{errors::invalid_runtime, "No worker has cobol."}});
  start();
  const auto result = settlement_.wait_for(job.request_id.value);
  EXPECT_EQ(result.status, RunStatus::error);
  EXPECT_EQ(result.error_code, "invalid_runtime");
  EXPECT_EQ(result.error_message, "No worker has cobol.");
  EXPECT_EQ(result.function_id, job.function_id);
  EXPECT_EQ(result.worker_id.value, "w-1");
  EXPECT_EQ(bundles_.fetches, 0);
}

// More of them than there are slots, and twice as many: none is told before its time, and none holds up another job.
TEST_F(WorkerTest, AResultThatNobodyListensForYetWaitsWithoutASlot) {
  const Job echo = python("def handler(event): return event");
  run(echo);
  const SteadyTime from = clock_.steady_now() + std::chrono::seconds(3);
  std::vector<std::string> ids;
  for (int i = 0; i < 10; ++i) {
    Job job = echo;
    ids.push_back(job.request_id.value = "held-" + std::to_string(i));
    Delivery delivery{.job = job, .receipt = {}, .tell_from = from};
    if (i == 0) delivery.cannot_run = Error{errors::invalid_runtime, "No worker has cobol."};
    queue_.add(std::move(delivery));
  }
  EXPECT_EQ(again(echo, "7").value, "7");  // behind them in the queue
  ASSERT_LT(clock_.steady_now(), from);
  for (const auto& id : ids) EXPECT_FALSE(settlement_.has(id)) << id;
  eventually([&] { return worker_->status().active_jobs == 0; });
  drain(milliseconds(0));  // what has come of them is told before the program ends
  EXPECT_GE(clock_.steady_now(), from);
  EXPECT_EQ(settlement_.wait_for(ids.front()).error_code, "invalid_runtime");
  for (int i = 1; i < 10; ++i) EXPECT_EQ(settlement_.wait_for(ids[static_cast<std::size_t>(i)]).value, "{}");
}

TEST_F(WorkerTest, SettlingIsRetried) {
  settlement_.failures_left = 2;
  EXPECT_EQ(run(python("def handler(): return 1")).value, "1");
}

TEST_F(WorkerTest, MissingOrForbiddenCode) {
  Job missing = python("");
  missing.code = {.key = "none", .sha256 = std::string(64, 'c')};
  const auto result = run(missing);
  EXPECT_EQ(result.status, RunStatus::error);
  EXPECT_EQ(result.error_code, "code_not_found");
  Job bad = job(Runtime::python, "../main.py", "");
  EXPECT_EQ(run(bad).status, RunStatus::failed);
}

TEST_F(WorkerTest, FunctionsInheritNoDescriptorOfTheProgram) {
  int open_pipe[2];
  ASSERT_EQ(::pipe(open_pipe), 0);  // inheritable, as a listening socket is
  struct stat info{};
  ASSERT_EQ(::fstat(open_pipe[0], &info), 0);
  const std::string seen = run(python("import os\n"
                                      "def link(fd):\n"
                                      "  try: return os.readlink('/proc/self/fd/' + fd)\n"
                                      "  except OSError: return ''\n"
                                      "def handler(): return [link(fd) for fd in os.listdir('/proc/self/fd')]"))
                               .value;
  EXPECT_NE(seen.find("/dev/null"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("pipe:[" + std::to_string(info.st_ino)), std::string::npos) << seen;
  ::close(open_pipe[0]);
  ::close(open_pipe[1]);
}

TEST_F(WorkerTest, CodeWithoutAKnownHashIsHashed) {
  Job job = python("def handler(): return 1");
  job.code.sha256.clear();
  EXPECT_EQ(run(job).value, "1");
  EXPECT_FALSE(again(job).cold_start);
}

// More than five hundred were forgotten, the oldest first: of six hundred called in turn none was ready.
TEST_F(WorkerTest, WhatWasPreparedIsNotFetchedForItsFirstRun) {
  std::vector<Job> jobs;
  for (int i = 0; i < 600; ++i) jobs.push_back(python("def handler(): return " + std::to_string(i)));
  for (const Job& job : jobs) {
    const fs::path bundle = root_ / "bundles" / job.code.key;
    ASSERT_TRUE(loop_.run(worker_->preparer().prepare(bundle, job.code.sha256, job.runtime, "sender")));
  }
  EXPECT_EQ(run(jobs.front()).value, "0");
  EXPECT_EQ(run(jobs.back()).value, "599");
  EXPECT_EQ(bundles_.fetches, 0);
}

TEST_F(WorkerTest, DrainRunsSyncJobsAndLeavesAsyncOnesInTheQueue) {
  start();
  worker_->stop_taking();
  Job sync = python("def handler(): return 1");
  Job async = python("def handler(): return 2");
  async.mode = RunMode::async;
  queue_.add(async);
  queue_.add(sync);
  eventually([&] { return settlement_.has(sync.request_id.value); });
  drain(milliseconds(10'000));
  EXPECT_FALSE(settlement_.has(async.request_id.value));
  EXPECT_TRUE(queue_.in_flight.empty());
}

TEST_F(WorkerTest, PastTheDeadlineSyncJobsEndAsErrorsAndAsyncOnesGoBack) {
  Job sync = python("import time\ndef handler(): time.sleep(1000)");
  Job async = sync;
  async.request_id.value = "async";
  async.mode = RunMode::async;
  queue_.add(sync);
  queue_.add(async);
  start();
  eventually([&] { return worker_->status().active_jobs == 2; });
  drain(milliseconds(300));
  EXPECT_EQ(settlement_.wait_for(sync.request_id.value).error_code, "shutting_down");
  EXPECT_EQ(settlement_.wait_for(sync.request_id.value).status, RunStatus::error);
  EXPECT_FALSE(settlement_.has("async"));
  EXPECT_EQ(queue_.given_back, std::set<std::string>{"receipt-2"});
}

class FleetWorkerTest : public WorkerTest {
 protected:
  FleetWorkerTest() : WorkerTest({.others_take_over = true}) {}
};

TEST_F(FleetWorkerTest, PastTheDeadlineEveryJobIsForTheOthers) {
  const Job sync = python("import time\ndef handler(): time.sleep(1000)");
  queue_.add(sync);
  start();
  eventually([&] { return worker_->status().active_jobs == 1; });
  drain(milliseconds(300));
  EXPECT_FALSE(settlement_.has(sync.request_id.value));
  EXPECT_EQ(queue_.given_back, std::set<std::string>{"receipt-1"});
}

TEST_F(FleetWorkerTest, AJobWhoseCodeStoreIsAwayIsGivenBackHoweverOftenItWasReceived) {
  const Job job = python("def handler(): return 1");
  bundles_.away = true;
  queue_.add(job, limits::kMaxReceives);
  start();
  eventually([&] { return bundles_.fetches == 1; });
  drain(milliseconds(10'000));
  EXPECT_FALSE(settlement_.has(job.request_id.value));
  EXPECT_EQ(queue_.given_back, std::set<std::string>{"receipt-1"});
}

TEST_F(FleetWorkerTest, AJobWaitsForItsCodeStoreWithoutBeingGivenBack) {
  const Job job = python("def handler(): return 1");
  bundles_.away = true;
  queue_.add(job, limits::kMaxReceives);
  start();
  eventually([&] { return bundles_.fetches == 2; });
  bundles_.away = false;
  EXPECT_EQ(settlement_.wait_for(job.request_id.value).value, "1");
  EXPECT_TRUE(queue_.given_back.empty());
}

class SmallWorkerTest : public WorkerTest {
 protected:
  SmallWorkerTest()
      : WorkerTest({.memory_budget_mb = 140, .idle_timeout = milliseconds(300), .unpacked = {.max_count = 2}}) {}
};

TEST_F(SmallWorkerTest, IdleInstancesMakeRoomAndEndInTime) {
  std::vector<Job> jobs;
  for (int i = 0; i < 4; ++i) {
    jobs.push_back(python("def handler(e): return " + std::to_string(i)));
    EXPECT_EQ(run(jobs.back()).value, std::to_string(i));
    EXPECT_LE(worker_->status().pools[Runtime::python], 2);
  }
  eventually([&] { return worker_->status().pools.empty(); });
  // Folders had to go as well, whichever those were, and come back.
  for (int i = 0; i < 4; ++i) EXPECT_EQ(again(jobs[static_cast<std::size_t>(i)]).value, std::to_string(i));
  EXPECT_GT(bundles_.fetches, 4);
  Job large = python("def handler(): return 'alone'");
  large.memory_mb = 1024;
  EXPECT_EQ(run(large).out, "alone");
}

}  // namespace
}  // namespace infra::worker
