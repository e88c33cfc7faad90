// Which runs advice is computed from, what it says when they can't be read, and that applying it changes the memory
// alone.
#include "app/advise_memory.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "support/fake_ports.h"
#include "support/manual_clock.h"
#include "support/run_task.h"

namespace infra::app {
namespace {

constexpr std::int64_t kMb = 1024 * 1024;
constexpr std::chrono::hours kDay{24};

class AdviseMemoryTest : public ::testing::Test {
 protected:
  AdviseMemoryTest() {
    Function function;
    function.id = {"f"};
    function.code = {"functions/f/1.zip", "hash"};
    function.memory_mb = 512;
    functions_.rows[function.id] = function;
  }

  void log(int count, std::chrono::milliseconds age = milliseconds{1000}, int memory_mb = 512) {
    for (int i = 0; i < count; ++i) {
      LogRow row;
      row.function_id = {"f"};
      row.request_id = {fmt::format("r{}", next_++)};
      row.timestamp = log_timestamp(row.request_id, clock_.now() - age);
      row.status = RunStatus::success;
      row.allocated_memory_mb = memory_mb;
      row.profile = {.peak_memory_bytes = 40 * kMb, .cpu_usage_us = 100, .cold_start = false};
      row.message = "said";
      logs_.rows.emplace(std::pair(row.function_id.value, row.timestamp), row);
    }
  }
  FunctionAdvice advise() {
    auto advised = run_task(advise_.advise({"f"}));
    EXPECT_TRUE(advised);
    return advised.value_or(FunctionAdvice{});
  }

  fakes::Journal journal_;
  ManualClock clock_;
  fakes::CountingRandom random_;
  fakes::InlineExecutor executor_;
  fakes::FakeFunctions functions_{journal_};
  fakes::FakeCode code_{journal_};
  fakes::FakeLogs logs_{journal_};
  fakes::FakeReader bundles_;
  IdSource ids_{clock_, random_};
  EventRing events_{UuidRandom{}, [this] { return clock_.now(); }};
  DeployFunction deploy_{functions_, code_, bundles_, executor_, clock_, ids_, events_};
  AdviseMemory advise_{functions_, logs_, deploy_, clock_};
  int next_ = 0;
};

TEST_F(AdviseMemoryTest, ReadsTheRunsWithThePresentMemoryPageByPage) {
  log(600);
  log(50, milliseconds{2000}, 1024);
  const auto found = advise();
  EXPECT_EQ(found.function_id, FunctionId{"f"});
  EXPECT_EQ(found.advice.allocated_mb, 512);
  EXPECT_EQ(found.advice.runs, 600);
  EXPECT_EQ(found.advice.recommended_memory_mb, 128);
}

TEST_F(AdviseMemoryTest, ReadsAThousandRowsAtMost) {
  log(1300);
  EXPECT_EQ(advise().advice.runs, 1000);
  EXPECT_EQ(std::ranges::count(journal_.calls, "logs.list"), 4);
}

TEST_F(AdviseMemoryTest, LeavesOutWhatIsOlderThanAWeek) {
  log(12, 6 * kDay);
  log(20, 8 * kDay);
  const auto found = advise();
  EXPECT_EQ(found.advice.runs, 12);
  EXPECT_EQ(found.since, clock_.now() - 7 * kDay);
}

TEST_F(AdviseMemoryTest, LeavesOutRunsOfOtherCode) {
  const WallTime uploaded = clock_.now() - kDay;
  functions_.rows[{"f"}].code.key = fmt::format("functions/f/{}.zip", make_uuid_v7(uploaded, UuidRandom{}));
  log(11, kDay - milliseconds{5});
  log(20, kDay + milliseconds{5});
  const auto found = advise();
  EXPECT_EQ(found.advice.runs, 11);
  EXPECT_EQ(found.since, uploaded);
}

TEST_F(AdviseMemoryTest, SaysWhenTheFunctionOrTheLogCannotBeRead) {
  EXPECT_EQ(run_task(advise_.advise({"nobody"})).error().kind, ErrorKind::not_found);
  EXPECT_EQ(run_task(advise_.apply({"nobody"})).error().kind, ErrorKind::not_found);
  for (const char* engine : {"functions.find", "logs.list"}) {
    journal_.failing = engine;
    EXPECT_EQ(run_task(advise_.advise({"f"})).error().kind, ErrorKind::unavailable) << engine;
    EXPECT_EQ(run_task(advise_.apply({"f"})).error().kind, ErrorKind::unavailable) << engine;
  }
}

TEST_F(AdviseMemoryTest, ApplyingItSetsTheMemoryAndTheNextHasNoRunsYet) {
  log(12);
  EXPECT_EQ(run_task(advise_.apply({"f"})).value(), 128);
  EXPECT_EQ(functions_.rows[{"f"}].memory_mb, 128);
  EXPECT_EQ(functions_.rows[{"f"}].code.key, "functions/f/1.zip");
  EXPECT_TRUE(code_.retired.empty());
  EXPECT_EQ(advise().advice.runs, 0);
  const auto again = run_task(advise_.apply({"f"}));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::conflict);
  EXPECT_EQ(again.error().code, "nothing_to_apply");
  EXPECT_THAT(again.error().message, ::testing::HasSubstr("a recommendation needs 10"));
}

}  // namespace
}  // namespace infra::app
