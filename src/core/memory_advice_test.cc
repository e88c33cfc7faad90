// What is advised on given runs, and that advice that was followed is not taken back by the next.
#include "core/memory_advice.h"

#include <gmock/gmock.h>
#include <rapidcheck.h>

#include <vector>

#include "core/function.h"
#include "core/limits.h"

namespace infra {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kMb = 1024 * 1024;

RunSample run_of(double peak_mb, bool cold = false) {
  return {.profile = {.peak_memory_bytes = static_cast<std::int64_t>(peak_mb * kMb),
                      .cpu_usage_us = 2000,
                      .cold_start = cold},
          .handler_ms = 40,
          .out_of_memory = false};
}

std::vector<RunSample> runs_of(double peak_mb, std::size_t count) {
  std::vector<RunSample> runs(count, run_of(peak_mb));
  runs.front().profile.cold_start = true;
  return runs;
}

// A second of the handler each, with one CPU in use for `busy` of it.
std::vector<RunSample> computing_runs(double peak_mb, double busy) {
  auto runs = runs_of(peak_mb, 40);
  for (auto& run : runs) {
    run.handler_ms = 1000;
    run.profile.cpu_usage_us = static_cast<std::int64_t>(busy * 1'000'000);
  }
  return runs;
}

TEST(MemoryAdviceTest, WithoutRunsThereIsNoRecommendationAndTheTipSaysWhy) {
  const auto none = advise_memory({}, 256);
  EXPECT_EQ(none.verdict, Verdict::unknown);
  EXPECT_EQ(none.confidence, Confidence::none);
  EXPECT_EQ(none.recommended_memory_mb, std::nullopt);
  EXPECT_FALSE(none.peaks);
  EXPECT_FALSE(none.cpu_used);
  EXPECT_EQ(none.optimization_tip, "None of its runs with 256 MB was measured; a recommendation needs 10.");
}

TEST(MemoryAdviceTest, AFewRunsAreTooFew) {
  const auto few = advise_memory(runs_of(30, 9), 1024);
  EXPECT_EQ(few.verdict, Verdict::unknown);
  EXPECT_EQ(few.recommended_memory_mb, std::nullopt);
  EXPECT_EQ(few.optimization_tip, "9 of its runs with 1024 MB were measured; a recommendation needs 10.");
  EXPECT_EQ(few.peaks->max, 30 * kMb);
  EXPECT_EQ(advise_memory(runs_of(30, 10), 1024).verdict, Verdict::lower);
}

TEST(MemoryAdviceTest, LowersToTheLargestPeakAndAQuarter) {
  auto runs = runs_of(60, 50);
  runs[17].profile.peak_memory_bytes = 200 * kMb;  // once is enough: it was needed
  const auto advice = advise_memory(runs, 1024);
  EXPECT_EQ(advice.verdict, Verdict::lower);
  EXPECT_EQ(advice.recommended_memory_mb, 256);
  EXPECT_EQ(advice.estimated_savings, "75%");
  EXPECT_EQ(advice.optimization_tip, "The largest of 50 runs needed 200.0 of its 1024 MB; 256 MB are enough.");
  EXPECT_EQ(advice.peaks->p50, 60 * kMb);
  EXPECT_EQ(advice.peaks->p95, 60 * kMb);
  EXPECT_EQ(advice.peaks->max, 200 * kMb);
}

TEST(MemoryAdviceTest, ToldApartColdStartsCountAllTheSame) {
  auto runs = runs_of(40, 20);
  runs[0].profile.peak_memory_bytes = 150 * kMb;
  const auto advice = advise_memory(runs, 1024);
  EXPECT_EQ(advice.cold_starts, 1);
  EXPECT_EQ(advice.peaks->cold_max, 150 * kMb);
  EXPECT_EQ(advice.peaks->warm_max, 40 * kMb);
  EXPECT_EQ(advice.recommended_memory_mb, 192);
}

TEST(MemoryAdviceTest, PercentilesAreMeasuredValues) {
  std::vector<RunSample> runs;
  for (int i = 100; i >= 1; --i) runs.push_back(run_of(i));
  const auto peaks = advise_memory(runs, 128).peaks;
  EXPECT_EQ(peaks->p50, 50 * kMb);
  EXPECT_EQ(peaks->p95, 95 * kMb);
  EXPECT_EQ(peaks->max, 100 * kMb);
}

TEST(MemoryAdviceTest, KeepsWhatIsAboutRightOrTheLeastThereIs) {
  const auto right = advise_memory(runs_of(180, 50), 256);
  EXPECT_EQ(right.verdict, Verdict::keep);
  EXPECT_EQ(right.recommended_memory_mb, 256);
  EXPECT_EQ(right.estimated_savings, "");
  EXPECT_THAT(right.optimization_tip, HasSubstr("about right"));
  const auto least = advise_memory(runs_of(20, 50), 128);
  EXPECT_EQ(least.verdict, Verdict::keep);
  EXPECT_EQ(least.recommended_memory_mb, 128);
  EXPECT_EQ(advise_memory(runs_of(20, 50), 64).recommended_memory_mb, 128);  // another controller's job may have less
  EXPECT_THAT(least.optimization_tip, HasSubstr("the least"));
}

TEST(MemoryAdviceTest, AdviceThatWasFollowedIsKeptWhenTheNextPeaksAreALittleSmaller) {
  EXPECT_EQ(advise_memory(runs_of(103, 40), 512).recommended_memory_mb, 160);
  const auto kept = advise_memory(runs_of(101, 40), 160);
  EXPECT_EQ(kept.verdict, Verdict::keep) << "though 128 MB would be enough for these";
  EXPECT_THAT(kept.optimization_tip, HasSubstr("about right"));
  EXPECT_EQ(advise_memory(runs_of(101, 40), 512).recommended_memory_mb, 128);
  EXPECT_EQ(advise_memory(runs_of(96, 40), 160).recommended_memory_mb, 128);
}

TEST(MemoryAdviceTest, RaisesWhatIsTightEvenByOneRun) {
  auto runs = runs_of(60, 3);
  runs[1].profile.peak_memory_bytes = 115 * kMb;
  const auto advice = advise_memory(runs, 128);
  EXPECT_EQ(advice.verdict, Verdict::raise);
  EXPECT_EQ(advice.recommended_memory_mb, 160);
  EXPECT_EQ(advice.estimated_savings, "");
  EXPECT_EQ(advice.optimization_tip, "A run needed 115.0 of its 128 MB; 160 MB leave room for a larger one.");
}

TEST(MemoryAdviceTest, OutOfMemoryDoubles) {
  auto runs = runs_of(60, 2);
  runs.push_back({.profile = {}, .handler_ms = {}, .out_of_memory = true});  // killed before anybody measured
  const auto advice = advise_memory(runs, 192);
  EXPECT_EQ(advice.verdict, Verdict::raise);
  EXPECT_EQ(advice.confidence, Confidence::low);
  EXPECT_EQ(advice.recommended_memory_mb, 384);
  EXPECT_EQ(advice.optimization_tip, "1 of 3 runs ran out of their 192 MB; give it 384 MB.");
}

TEST(MemoryAdviceTest, NothingIsRecommendedPastTheMost) {
  auto runs = runs_of(10'000, 20);
  EXPECT_EQ(advise_memory(runs, limits::kMaxMemoryMb).recommended_memory_mb, limits::kMaxMemoryMb);
  runs[3].out_of_memory = true;
  const auto advice = advise_memory(runs, limits::kMaxMemoryMb);
  EXPECT_EQ(advice.verdict, Verdict::keep);
  EXPECT_EQ(advice.recommended_memory_mb, limits::kMaxMemoryMb);
  EXPECT_THAT(advice.optimization_tip, HasSubstr("the most"));
  EXPECT_EQ(advise_memory(runs, 8192).recommended_memory_mb, limits::kMaxMemoryMb);
}

TEST(MemoryAdviceTest, ConfidenceGrowsWithRunsAndNeedsAColdStart) {
  EXPECT_EQ(advise_memory(runs_of(30, 10), 512).confidence, Confidence::low);
  EXPECT_EQ(advise_memory(runs_of(30, 30), 512).confidence, Confidence::medium);
  EXPECT_EQ(advise_memory(runs_of(30, 100), 512).confidence, Confidence::high);
  EXPECT_EQ(advise_memory(std::vector<RunSample>(100, run_of(30)), 512).confidence, Confidence::medium);
}

TEST(MemoryAdviceTest, AFunctionThatComputesForLongKeepsItsShareOfTheCpus) {
  const auto bound = advise_memory(computing_runs(60, 0.98), 1024);
  EXPECT_TRUE(bound.cpu_bound);
  EXPECT_NEAR(bound.cpu_used.value_or(0), 0.98, 0.001);
  EXPECT_NEAR(bound.cpu_share, 0.579, 0.001);
  EXPECT_EQ(bound.verdict, Verdict::keep);
  EXPECT_THAT(bound.optimization_tip, HasSubstr("128 MB would hold it, but"));
  EXPECT_THAT(bound.optimization_tip, HasSubstr("1769 MB are one"));

  // More than one CPU for code that uses one: the rest is no loss.
  const auto spare = advise_memory(computing_runs(60, 0.98), 4096);
  EXPECT_FALSE(spare.cpu_bound);
  EXPECT_EQ(spare.recommended_memory_mb, 1760);
  EXPECT_THAT(spare.optimization_tip, Not(HasSubstr("computes")));

  EXPECT_EQ(advise_memory(computing_runs(60, 0.3), 1024).recommended_memory_mb, 128);  // it mostly waits
}

TEST(MemoryAdviceTest, ShortBurstsAndColdStartsAreNoComputing) {
  auto bursts = runs_of(60, 40);
  for (auto& run : bursts) run.profile.cpu_usage_us = 40'000;
  EXPECT_EQ(advise_memory(bursts, 1024).recommended_memory_mb, 128);
  auto cold = runs_of(60, 40);
  cold[0].profile.cpu_usage_us = 60'000'000;  // imports
  const auto advice = advise_memory(cold, 1024);
  EXPECT_NEAR(advice.cpu_used.value_or(0), 0.05, 0.001);
  EXPECT_EQ(advice.recommended_memory_mb, 128);
}

TEST(MemoryAdviceTest, RunsThatWereNotMeasuredAreNoSamples) {
  LogRow row;
  EXPECT_FALSE(sample_of(row));
  row.error_code = "out_of_memory";
  EXPECT_TRUE(sample_of(row)->out_of_memory);
  row.error_code = "handler_error";
  row.profile = {.peak_memory_bytes = kMb, .cpu_usage_us = 7, .cold_start = true};
  row.handler_ms = 3;
  const auto sample = sample_of(row);
  EXPECT_FALSE(sample->out_of_memory);
  EXPECT_EQ(sample->profile, *row.profile);
  EXPECT_EQ(sample->handler_ms, 3);
}

TEST(MemoryAdviceTest, HoldsForAnyRuns) {
  EXPECT_TRUE(rc::check([] {
    const int allocated = *rc::gen::inRange(limits::kMinMemoryMb, limits::kMaxMemoryMb + 1);
    const auto count = *rc::gen::inRange<std::size_t>(1, 60);
    const auto peaks =
        *rc::gen::container<std::vector<std::int64_t>>(count, rc::gen::inRange<std::int64_t>(1, allocated * kMb + 1));
    std::vector<RunSample> runs;
    for (const auto peak : peaks) {
      runs.push_back(run_of(1));
      runs.back().profile.peak_memory_bytes = peak;
    }
    const auto most = *std::ranges::max_element(peaks);
    const auto advice = advise_memory(runs, allocated);
    RC_ASSERT(!advice.optimization_tip.empty());
    RC_ASSERT((advice.verdict == Verdict::unknown) == !advice.recommended_memory_mb.has_value());
    RC_ASSERT(count < 10 || advice.recommended_memory_mb.has_value());
    RC_ASSERT((advice.verdict == Verdict::keep) == (advice.recommended_memory_mb == allocated));
    if (!advice.is_change()) return;
    const int recommended = *advice.recommended_memory_mb;
    FunctionSettings settings;
    RC_ASSERT(set_text(field_of(&FunctionSettings::memory_mb), settings, std::to_string(recommended)).has_value());
    RC_ASSERT((recommended * kMb > most || recommended == limits::kMaxMemoryMb));
    RC_ASSERT((recommended < allocated) == (advice.verdict == Verdict::lower));
    // The same runs with what was recommended: nothing more to do.
    RC_ASSERT(!advise_memory(runs, recommended).is_change());
  }));
}

}  // namespace
}  // namespace infra
