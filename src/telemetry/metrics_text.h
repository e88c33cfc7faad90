// Metrics in Prometheus' text format, version 0.0.4, with numbers that simple readers understand: dashboards that look
// for digits and a point take 1e+06 for 1.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace infra {

// Counters, gauges and histograms, of which there are no others here.
[[nodiscard]] std::string metrics_text(const std::vector<prometheus::MetricFamily>& families);

// The shortest form that is read back as the same value, never with an exponent.
[[nodiscard]] std::string metric_number(double value);

}  // namespace infra
