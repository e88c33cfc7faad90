// What some runs of a function came to, in a form that can be added up and stored: how many, how long, how much memory.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/job_result.h"

namespace infra {

struct RunSums {
  std::int64_t runs = 0;
  std::int64_t errors = 0;  // whatever is no success
  std::int64_t cold_starts = 0;
  double total_ms = 0;  // durations as log rows have them
  double max_ms = 0;
  std::int64_t peak_memory_bytes = 0;     // the most that one used; 0: none was measured
  std::map<int, std::int64_t> durations;  // runs by bucket; bucket n is of 2^((n-1)/4) to 2^(n/4) ms
  bool operator==(const RunSums&) const = default;

  void add(const LogRow& row);
  void add(const RunSums& more);
  // Nearest rank, to within 10 %, and max_ms at most. `share` is of (0, 1]; 0 without runs.
  [[nodiscard]] double percentile_ms(double share) const;
};

// One line without ';' and '='. At most 4 KiB.
[[nodiscard]] std::string to_text(const RunSums& sums);
// Nullopt for what to_text() does not write.
[[nodiscard]] std::optional<RunSums> parse_run_sums(std::string_view text);

}  // namespace infra
