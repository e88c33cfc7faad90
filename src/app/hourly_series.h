// A function's sums of runs as items of the configuration store: an hour of a function each, with its minutes. Every
// program of a fleet that records runs gathers them in memory, and adds them to the items once a minute.
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <string>

#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/configuration_store.h"
#include "ports/run_recorder.h"
#include "ports/run_series.h"
#include "telemetry/metrics.h"

namespace infra::app {

// Any event thread. Where a program is killed the sums of its last minute are lost: a chart may lack them, and never
// has a run twice.
class HourlySeries final : public RunSeries {
 public:
  static constexpr std::size_t kMaxHours = 10'000;  // of functions, not yet written; runs of more are not in the charts
  static constexpr std::chrono::seconds kInterval{60};

  HourlySeries(ConfigurationStore& store, Clock& clock, Metrics& metrics)
      : store_(store), clock_(clock), metrics_(metrics) {}

  void note(const LogRow& row);

  // Writes what was noted, one item after the other; begins none after `deadline`. What can't be written stays for the
  // next time; what a fleet without the table has no place for is dropped.
  Task<void> write(SteadyTime deadline);

  // The last of a program: again and again until nothing is left, or `deadline`.
  Task<void> finish(SteadyTime deadline);

  Task<Result<std::vector<RunSums>>> read(const SeriesQuery& query) override;

 private:
  using Hour = std::chrono::sys_time<std::chrono::hours>;
  using Sums = std::map<int, RunSums>;  // by minute of the hour

  struct Item {
    FunctionId function;
    Hour hour;
    auto operator<=>(const Item&) const = default;
  };
  struct Unwritten {
    Sums sums;
    // What a write without an answer may have written: it has not if the item is still of that revision.
    Sums doubted{};
    std::int64_t doubted_at = 0;
  };

  static ConfigurationKey key_of(const Item& item);
  Task<Result<void>> add(const Item& item, Unwritten& unwritten);
  void put_back(const Item& item, Unwritten unwritten);
  [[nodiscard]] bool has_unwritten();

  ConfigurationStore& store_;
  Clock& clock_;
  Metrics& metrics_;
  Mutex mutex_;
  std::map<Item, Unwritten> unwritten_ INFRA_GUARDED_BY(mutex_);
};

// Notes the runs that its own call recorded.
class SummedRecorder final : public RunRecorder {
 public:
  SummedRecorder(RunRecorder& recorder, HourlySeries& series) : recorder_(recorder), series_(series) {}
  Task<Result<bool>> record(const LogRow& row) override {
    auto won = co_await recorder_.record(row);
    if (won && *won) series_.note(row);
    co_return won;
  }

 private:
  RunRecorder& recorder_;
  HourlySeries& series_;
};

}  // namespace infra::app
