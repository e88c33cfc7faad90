// A version in quarantine: its runs are refused before anything is promised.
#include <gmock/gmock.h>

#include "app/id_source.h"
#include "app/invoke_function.h"
#include "core/error_codes.h"
#include "support/fake_ports.h"
#include "support/manual_clock.h"
#include "support/metric_value.h"
#include "support/run_task.h"

namespace infra::app {
namespace {

using ::testing::ElementsAre;

class QuarantineTest : public ::testing::Test {
 protected:
  QuarantineTest() {
    Function function;
    function.id = {"f"};
    function.code = {"functions/f/1.zip", "old"};
    functions_.rows[function.id] = function;
    quarantine_.lasting[version_of(function.id, function.code)] = milliseconds{59'001};
  }
  Result<SharedResult> run(RunMode mode) {
    return run_task(
        invoke_.run({.id = ids_.request_id(), .function = {"f"}, .model_id = {}, .mode = mode, .traceparent = {}}));
  }

  fakes::Journal journal_;
  ManualClock clock_;
  fakes::CountingRandom random_;
  fakes::FakeFunctions functions_{journal_};
  fakes::FakeQueue queue_{journal_};
  fakes::FakeResults results_{journal_};
  fakes::FakeLimiter limiter_{journal_};
  fakes::FakeQuarantine quarantine_;
  IdSource ids_{clock_, random_};
  EventRing events_{UuidRandom{}, [this] { return clock_.now(); }};
  Metrics metrics_;
  InvokeFunction invoke_{functions_,
                         queue_,
                         results_,
                         clock_,
                         events_,
                         metrics_,
                         {.limiter = limiter_, .max_waiting = 2, .quarantine = &quarantine_}};
};

TEST_F(QuarantineTest, RunsAreRefusedUntilItIsOver) {
  for (const RunMode mode : {RunMode::sync, RunMode::async}) {
    journal_.calls.clear();
    const auto refused = run(mode);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "function_quarantined");
    EXPECT_EQ(refused.error().kind, ErrorKind::unavailable);
    EXPECT_EQ(refused.error().retry_after, std::chrono::seconds{60});
    EXPECT_THAT(journal_.calls, ElementsAre("functions.find"));
  }
  EXPECT_EQ(testing::metric_value(metrics_, "function_quarantined_refusals_total"), 2);
  quarantine_.lasting.clear();
  EXPECT_TRUE(run(RunMode::sync));
}

TEST_F(QuarantineTest, NewCodeIsTakenAtOnce) {
  functions_.rows[{"f"}].code.sha256 = "new";
  EXPECT_TRUE(run(RunMode::sync));
}

}  // namespace
}  // namespace infra::app
