// Every number of the exposition is one that a reader of digits and a point reads right.
#include "telemetry/metrics_text.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstdlib>
#include <limits>

namespace infra {
namespace {

TEST(MetricsText, NumbersHaveNoExponentAndAreReadBackAsTheyWere) {
  EXPECT_EQ(metric_number(0), "0");
  EXPECT_EQ(metric_number(1'000'000), "1000000");
  EXPECT_EQ(metric_number(123'456'789'012), "123456789012");
  EXPECT_EQ(metric_number(0.000015), "0.000015");
  EXPECT_EQ(metric_number(0.0005), "0.0005");
  EXPECT_EQ(metric_number(-2.5), "-2.5");
  EXPECT_EQ(metric_number(std::numeric_limits<double>::infinity()), "+Inf");
  EXPECT_EQ(metric_number(-std::numeric_limits<double>::infinity()), "-Inf");
  EXPECT_EQ(metric_number(std::numeric_limits<double>::quiet_NaN()), "NaN");
  for (const double edge : {std::numeric_limits<double>::max(), std::numeric_limits<double>::min(),
                            std::numeric_limits<double>::denorm_min(), -std::numeric_limits<double>::min()}) {
    EXPECT_EQ(std::strtod(metric_number(edge).c_str(), nullptr), edge);
    EXPECT_EQ(metric_number(edge).find('e'), std::string::npos);
  }
  EXPECT_TRUE(rc::check([](double value) {
    const std::string text = metric_number(value);
    RC_ASSERT(text.find_first_not_of("-0123456789.") == std::string::npos);
    RC_ASSERT(std::strtod(text.c_str(), nullptr) == value);
  }));
}

TEST(MetricsText, WritesEachKind) {
  prometheus::ClientMetric runs;
  runs.label = {{.name = "f", .value = "a\"b\\c\nd"}, {.name = "g", .value = "h"}};
  runs.counter.value = 2'000'000;
  prometheus::ClientMetric jobs;
  jobs.gauge.value = 1e7;
  prometheus::ClientMetric seconds;
  seconds.label = {{.name = "f", .value = "x"}};
  seconds.histogram = {
      .sample_count = 3'000'000,
      .sample_sum = 0.000015,
      .bucket = {{.cumulative_count = 1, .upper_bound = 0.0005},
                 {.cumulative_count = 3'000'000, .upper_bound = std::numeric_limits<double>::infinity()}}};
  EXPECT_EQ(
      metrics_text(
          {{.name = "runs_total",
            .help = "Runs\\of\n\"all\"",
            .type = prometheus::MetricType::Counter,
            .metric = {runs}},
           {.name = "jobs", .help = "Jobs.", .type = prometheus::MetricType::Gauge, .metric = {jobs}},
           {.name = "run_seconds", .help = "Time.", .type = prometheus::MetricType::Histogram, .metric = {seconds}}}),
      R"(# HELP runs_total Runs\\of\n"all"
# TYPE runs_total counter
runs_total{f="a\"b\\c\nd",g="h"} 2000000
# HELP jobs Jobs.
# TYPE jobs gauge
jobs 10000000
# HELP run_seconds Time.
# TYPE run_seconds histogram
run_seconds_count{f="x"} 3000000
run_seconds_sum{f="x"} 0.000015
run_seconds_bucket{f="x",le="0.0005"} 1
run_seconds_bucket{f="x",le="+Inf"} 3000000
)");
}

}  // namespace
}  // namespace infra
