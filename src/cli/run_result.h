// A run's result as invoke, status and watch print it.
#pragma once

#include <string>
#include <string_view>

#include "cli/api.h"
#include "cli/failure.h"
#include "cli/output.h"
#include "cli/tail.h"

namespace infra::cli {

// `text`: the result's JSON. What the handler returned goes to stdout, all else to stderr; with --json all of it to
// stdout. What was shown of it already is not shown again, if that was all. A failure if the run was no success.
// `function`: as a next step names it.
[[nodiscard]] Outcome<Exit> show_result(const Output& output, std::string_view text, std::string_view function,
                                        const ShownLines& shown = {});

// Asks until the run has ended; gives the result's JSON.
[[nodiscard]] Outcome<std::string> await_result(Api& api, std::string_view job);

// What a function printed: its stdout without the returned value, which stands at the end.
[[nodiscard]] std::string_view printed_part(std::string_view stdout_text, std::string_view result);

}  // namespace infra::cli
