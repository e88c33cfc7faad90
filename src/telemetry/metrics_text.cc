#include "telemetry/metrics_text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

namespace infra {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricType;

std::string_view name_of(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Histogram:
      return "histogram";
    default:
      return "untyped";
  }
}

std::string escape(std::string_view text, bool quoted) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\n') {
      escaped += "\\n";
      continue;
    }
    if (c == '\\' || (quoted && c == '"')) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// One line. `extra` is a label of the line's own, or empty.
void append_sample(std::string& text, std::string_view name, const ClientMetric& metric, std::string_view extra,
                   std::string_view value) {
  std::string labels;
  for (const auto& label : metric.label) {
    labels += fmt::format("{}{}=\"{}\"", labels.empty() ? "" : ",", label.name, escape(label.value, true));
  }
  if (!extra.empty()) labels += fmt::format("{}{}", labels.empty() ? "" : ",", extra);
  text += name;
  if (!labels.empty()) text += fmt::format("{{{}}}", labels);
  text += fmt::format(" {}\n", value);
}

void append_histogram(std::string& text, const std::string& name, const ClientMetric& metric) {
  const auto& histogram = metric.histogram;
  append_sample(text, name + "_count", metric, "", std::to_string(histogram.sample_count));
  append_sample(text, name + "_sum", metric, "", metric_number(histogram.sample_sum));
  for (const auto& bucket : histogram.bucket) {
    append_sample(text, name + "_bucket", metric, fmt::format("le=\"{}\"", metric_number(bucket.upper_bound)),
                  std::to_string(bucket.cumulative_count));
  }
}

}  // namespace

std::string metric_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 400> digits{};  // the smallest double takes 350
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed);
  return error == std::errc{} ? std::string(digits.data(), end) : "NaN";
}

std::string metrics_text(const std::vector<prometheus::MetricFamily>& families) {
  std::string text;
  for (const auto& family : families) {
    text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", family.name, escape(family.help, false), family.name,
                        name_of(family.type));
    for (const auto& metric : family.metric) {
      switch (family.type) {
        case MetricType::Counter:
          append_sample(text, family.name, metric, "", metric_number(metric.counter.value));
          break;
        case MetricType::Gauge:
          append_sample(text, family.name, metric, "", metric_number(metric.gauge.value));
          break;
        case MetricType::Histogram:
          append_histogram(text, family.name, metric);
          break;
        default:
          break;
      }
    }
  }
  return text;
}

}  // namespace infra
