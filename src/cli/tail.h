// infra invoke --tail: a run, and the lines that it prints while it does.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cli/api.h"
#include "cli/output.h"

namespace infra::cli {

// What was shown of a run while it went on, lines with their ends.
struct ShownLines {
  std::string out;
  std::string err;
};

struct TailedRun {
  std::string result;  // JSON
  ShownLines shown;
};

// Listens to the function's events at `events`, and then begins the run by `start`, which gives its job. Lines go to
// stderr as they come; with --json each is an object on a line. Where the platform does not tell of events, or stops
// doing so, the run is waited for all the same. `runs` is asked for its result.
[[nodiscard]] Outcome<TailedRun> run_and_tail(Api& runs, Api& events, const Output& output, std::string_view function,
                                              const std::function<Outcome<std::string>()>& start);

}  // namespace infra::cli
