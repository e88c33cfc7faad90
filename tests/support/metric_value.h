// What a metric stands at, read as a scraper reads it.
#pragma once

#include <string>
#include <string_view>

#include "telemetry/metrics.h"

namespace infra::testing {

// `series` is a name with its labels, as a scrape shows them: `jobs_running` or `jobs{runtime="go"}`. Zero, if it is
// not there.
inline double metric_value(Metrics& metrics, std::string_view series) {
  const std::string text = "\n" + metrics.render({});
  const std::string wanted = "\n" + std::string(series) + " ";
  const auto at = text.find(wanted);
  return at == std::string::npos ? 0 : std::stod(text.substr(at + wanted.size()));
}

}  // namespace infra::testing
