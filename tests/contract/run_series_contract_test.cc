// The series' contract on SQLite, and in hours on the configuration store.
#include "contract/run_series_contract.h"

#include "adapters/sqlite/sqlite_configuration_store.h"
#include "adapters/sqlite/sqlite_run_recorder.h"
#include "adapters/sqlite/sqlite_run_series.h"
#include "app/hourly_series.h"
#include "contract/embedded_world.h"

namespace infra {
namespace {

class EmbeddedSeries : public EmbeddedWorld {
 public:
  RunSeries& series() { return series_; }
  RunRecorder& recorder() { return recorder_; }
  void settle() {}
  Result<void> sweep() { return run(series_.sweep(now())); }

 private:
  SqliteFunctionStore functions_{*database};
  SqliteRunRecorder recorder_{*database, functions_};
  SqliteRunSeries series_{*database};
};

class SeriesInHours : public EmbeddedWorld {
 public:
  RunSeries& series() { return series_; }
  RunRecorder& recorder() { return recorder_; }
  void settle() { run_void(series_.write(SteadyTime::max())); }

 private:
  Metrics metrics_;
  SqliteFunctionStore functions_{*database};
  SqliteRunRecorder rows_{*database, functions_};
  SqliteConfigurationStore configuration_{*database};
  app::HourlySeries series_{configuration_, clock, metrics_};
  app::SummedRecorder recorder_{rows_, series_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, RunSeriesContract, EmbeddedSeries);
INSTANTIATE_TYPED_TEST_SUITE_P(Hours, RunSeriesContract, SeriesInHours);

TEST(SqliteRunSeries, TheSweepTakesWhatIsOlderThanThirtyDays) {
  EmbeddedSeries world;
  const Minute now = std::chrono::floor<std::chrono::minutes>(world.now());
  const Minute old = now - kSeriesRetention;
  for (const Minute at : {old, old + std::chrono::minutes{1}}) {
    LogRow row = make_log(to_iso8601(at), at, world.now() + limits::kLogTtl);
    ASSERT_TRUE(world.run(world.recorder().record(row)).value());
  }
  ASSERT_TRUE(world.sweep());
  const auto left =
      world.run(world.series().read({.function_id = {"f"}, .from = old, .step = std::chrono::minutes{1}, .steps = 2}));
  ASSERT_TRUE(left);
  EXPECT_EQ(left->at(0).runs, 0);
  EXPECT_EQ(left->at(1).runs, 1);
}

}  // namespace
}  // namespace infra
