// What functions may ask of their instances: how many run at once, and how many wait for calls.
#include <signal.h>

#include <fstream>

#include "worker/test_worker.h"

namespace infra::worker {
namespace {

class LimitedRunTest : public WorkerTest {
 protected:
  // Waits for the file at its input, and notes when it begins and ends in one beside it.
  Job limited(const std::string& id) {
    static constexpr auto kSource =
        "import os, time\n"
        "def note(path, what):\n"
        "  with open(path + '.notes', 'a') as f: f.write(what)\n"
        "def handler(path):\n"
        "  note(path, '(')\n"
        "  while not os.path.exists(path): time.sleep(0.002)\n"
        "  note(path, ')')";
    Job job = python(kSource);
    job.function_id = {"limited"};
    job.code = bundles_.add(std::string(64, 'b'), "main.py", kSource);
    job.request_id = {id};
    job.max_concurrency = 1;
    job.input = '"' + open_.string() + '"';
    return job;
  }
  std::string notes() {
    std::ifstream file(open_.string() + ".notes");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const fs::path open_ = root_ / "open";
};

TEST_F(LimitedRunTest, OneAtATimeAndNobodyElseWaits) {
  for (int i = 0; i < 5; ++i) queue_.add(limited("l-" + std::to_string(i)));
  start();
  eventually([&] { return worker_->status().waiting_jobs == 4; });
  EXPECT_EQ(worker_->status().active_jobs, 1);
  eventually([&] { return notes() == "("; });  // its start may take longer than all that the others do
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(python("def handler(): return 'other'")).value, "\"other\"");
  EXPECT_EQ(notes(), "(");
  std::ofstream(open_) << "";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(settlement_.wait_for("l-" + std::to_string(i)).status, RunStatus::success);
  EXPECT_EQ(notes(), "()()()()()");
  eventually([&] { return limiter_.outstanding() == 0; });
  EXPECT_EQ(limiter_.left, 5);
}

TEST_F(LimitedRunTest, TheTimeoutBeginsWithTheRun) {
  queue_.add(limited("first"));
  start();
  eventually([&] { return notes() == "("; });
  Job second = limited("second");
  second.timeout = milliseconds(500);
  queue_.add(second);
  eventually([&] { return worker_->status().waiting_jobs == 1; });
  std::this_thread::sleep_for(milliseconds(600));  // longer than it may run
  std::ofstream(open_) << "";
  EXPECT_EQ(settlement_.wait_for("second").status, RunStatus::success);
}

TEST_F(LimitedRunTest, AFailureGivesThePermitBackToo) {
  Job job = limited("broken");
  job.input = "1";
  EXPECT_EQ(run(job).status, RunStatus::failed);
  Job missing = limited("missing");
  missing.code = {.key = "none", .sha256 = std::string(64, 'c')};
  EXPECT_EQ(run(missing).error_code, "code_not_found");
  std::ofstream(open_) << "";
  EXPECT_EQ(run(limited("whole")).status, RunStatus::success);
  eventually([&] { return limiter_.outstanding() == 0; });
}

// Nobody holds a slot while it waits for memory, and what is left of that goes to whom it is enough for.
class LittleMemoryTest : public WorkerTest {
 protected:
  LittleMemoryTest() : WorkerTest({.memory_budget_mb = 320}) {}
  Job waits_for_file(int memory_mb) {
    Job job = python("import os, time\ndef handler(e):\n  while not os.path.exists(e): time.sleep(0.002)");
    job.input = '"' + (root_ / "open").string() + '"';
    job.memory_mb = memory_mb;
    return job;
  }
};

TEST_F(LittleMemoryTest, WhoWaitsForMemoryHoldsNoSlot) {
  start();
  const Job runs = waits_for_file(200);
  queue_.add(runs);
  eventually([&] { return worker_->status().active_jobs == 1; });
  std::vector<Job> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(waits_for_file(200));
    queue_.add(waiting.back());
    eventually([&] { return worker_->status().waiting_jobs == i + 1; });
  }
  EXPECT_EQ(worker_->status().active_jobs, 1);
  Job small = python("def handler(): return 'small'");
  small.memory_mb = 64;
  EXPECT_EQ(run(small).out, "small");
  Job more = waiting[0];
  more.request_id.value = "more";
  queue_.add(more);
  std::ofstream(root_ / "open") << "";
  for (const auto& job : waiting) EXPECT_EQ(settlement_.wait_for(job.request_id.value).status, RunStatus::success);
  EXPECT_EQ(settlement_.wait_for("more").status, RunStatus::success);
  eventually([&] { return worker_->status().active_jobs == 0; });
  EXPECT_EQ(worker_->status().waiting_jobs, 0);
}

TEST_F(LimitedRunTest, StoppingGivesBackWhatWaits) {
  queue_.add(limited("runs"));
  start();
  eventually([&] { return notes() == "("; });
  queue_.add(limited("sync"));
  eventually([&] { return worker_->status().waiting_jobs == 1; });
  Job async = limited("async");
  async.mode = RunMode::async;
  queue_.add(async);
  eventually([&] { return worker_->status().waiting_jobs == 2; });
  worker_->stop_taking();
  eventually([&] { return worker_->status().waiting_jobs == 1; });  // the sync one's client waits
  drain(milliseconds(200));
  EXPECT_EQ(queue_.given_back, std::set<std::string>{"receipt-3"});
  for (const char* id : {"runs", "sync"}) EXPECT_EQ(settlement_.wait_for(id).error_code, "shutting_down") << id;
  EXPECT_FALSE(settlement_.has("async"));
  EXPECT_EQ(limiter_.running("limited"), 0U);
  EXPECT_EQ(limiter_.outstanding(), 0U);
}

// The queue is in the worker's own process.
class ReceivingOnEachThreadTest : public WorkerTest {
 protected:
  ReceivingOnEachThreadTest() : WorkerTest({.receive_on_each_thread = true}) {}
};

TEST_F(ReceivingOnEachThreadTest, RunsAndStopsAsAnyOther) {
  const Job job = python("import time\ndef handler(event, context):\n  time.sleep(event)\n  return event");
  for (const char* seconds : {"0", "0.02"}) EXPECT_EQ(again(job, seconds).value, seconds);  // on both sides of "soon"
  Job waits = job;
  waits.request_id.value = "waits";
  waits.input = "0.2";
  Job async = job;
  async.request_id.value = "async";
  async.mode = RunMode::async;
  worker_->stop_taking();
  queue_.add(waits);
  queue_.add(async);
  drain(milliseconds(20'000));
  EXPECT_EQ(settlement_.wait_for("waits").value, "0.2");
  EXPECT_FALSE(settlement_.has("async"));
}

class KeptInstancesTest : public WorkerTest {
 protected:
  KeptInstancesTest() : WorkerTest({.idle_timeout = milliseconds(200)}) {}

  Function deploy(const std::string& source, int keep_warm, std::int64_t version = 1) {
    Function function;
    function.id = {"kept"};
    function.env = {{"A", "b"}};
    function.code = bundles_.add(std::string(63, 'd') + std::to_string(version), "main.py", source);
    function.memory_mb = 128;
    function.keep_warm = keep_warm;
    function.version = version;
    worker_->keep_warm().deployed(function);
    return function;
  }
  Job call(const Function& function) {
    Job job = python("");
    job.function_id = function.id;
    job.code = function.code;
    job.memory_mb = function.memory_mb;
    job.env = function.env;
    return job;
  }
  void expect_warm(int count) {
    eventually([&] { return worker_->status().pools[Runtime::python] == count; });
  }
  // Of an instance that was ready; its code was loaded without a request.
  const std::string source_ =
      "import os\nloaded = [os.environ.get('JOB_ID'), os.environ['FUNCTION_ID'], os.environ['A']]\n"
      "print('loading')\ncalls = 0\n"
      "def handler(e, c):\n  global calls; calls += 1\n  return [loaded, calls, os.getpid()]";
};

TEST_F(KeptInstancesTest, InstancesAreThereBeforeTheFirstCallAndStay) {
  start();
  const Function function = deploy(source_, 2);
  expect_warm(2);
  worker_->keep_warm().changes_missed();
  std::this_thread::sleep_for(milliseconds(500));  // longer than others may be idle
  EXPECT_EQ(worker_->status().pools[Runtime::python], 2);
  const auto result = run(call(function));
  EXPECT_FALSE(result.cold_start);
  EXPECT_THAT(result.value, ::testing::StartsWith(R"([[null,"kept","b"],1,)"));
  EXPECT_EQ(result.out, result.value) << "what was printed while it was loaded is nobody's";
  expect_warm(2);
}

TEST_F(KeptInstancesTest, OneThatEndsIsStartedAgain) {
  start();
  const Function function = deploy("import os, json\ndef handler(e, c): return os.getpid() if e else os._exit(3)", 1);
  expect_warm(1);
  EXPECT_EQ(run(call(function)).error_code, "exited");
  expect_warm(1);
  const auto result = again(call(function), "1");
  EXPECT_FALSE(result.cold_start);
  expect_warm(1);
  ::kill(std::stoi(result.value), SIGKILL);  // while nobody calls it
  eventually([&] {
    const auto next = again(call(function), "1");
    return next.status == RunStatus::success && next.value != result.value && !next.cold_start;
  });
}

TEST_F(KeptInstancesTest, AChangeAndTheEndOfTheFunctionTakeEffectAtOnce) {
  start();
  deploy(source_, 2);
  expect_warm(2);
  const Function changed = deploy("def handler(e, c): return 'new'", 1, 2);
  expect_warm(1);
  EXPECT_FALSE(run(call(changed)).cold_start);
  Job late = call(changed);  // accepted before the change
  late.code = {.key = std::string(63, 'd') + "1", .sha256 = std::string(63, 'd') + "1"};
  EXPECT_THAT(run(late).value, HasSubstr("kept"));
  EXPECT_FALSE(again(call(changed)).cold_start) << "it ended no newer one";
  worker_->keep_warm().removed({"kept"});
  eventually([&] { return worker_->status().pools.empty(); });
}

TEST_F(KeptInstancesTest, ProgramsAreReadyToo) {
  start();
  Function function;
  function.id = {"program"};
  function.runtime = Runtime::nodejs;
  function.code = bundles_.add(std::string(64, 'e'), "index.js", "console.log(1)");  // a plain script: nothing to load
  function.memory_mb = 128;
  function.keep_warm = 1;
  worker_->keep_warm().deployed(function);
  eventually([&] { return worker_->status().pools[Runtime::nodejs] == 1; });
  Job job = call(function);
  job.runtime = Runtime::nodejs;
  const auto result = run(job);
  EXPECT_EQ(result.out, "1\n") << "it ran when it was called, and only then";
  EXPECT_FALSE(result.cold_start);
}

}  // namespace
}  // namespace infra::worker
