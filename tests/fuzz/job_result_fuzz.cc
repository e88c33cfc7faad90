// A result's text, ours or a reference worker's: what is read can be written, is JSON then, and reads the same; its log
// row is within its bounds.
#include <string>

#include "adapters/redis/job_key_text.h"
#include "adapters/redis/reference_result.h"
#include "core/job_result.h"
#include "core/json_cursor.h"
#include "core/limits.h"
#include "core/text.h"
#include "fuzz/target.h"

namespace infra::fuzz {
namespace {

void check_written(const JobResult& result) {
  const std::string written = to_json(result);
  JsonCursor cursor(written);
  require(cursor.value() && cursor.at_end(), "a result that is written is JSON");
  const auto again = parse_job_result(written);
  require(again.has_value(), "a result that is written is read");
  require(to_json(*again) == to_json(*parse_job_result(to_json(*again))), "a result that is written reads the same");
  require(again->status == result.status && again->value == result.value, "a result keeps what came of it");
  require(kind_of(written) == JobKeyText::result || result.of_reference_worker, "ours are known as ours");
}

void check_row(const JobResult& result) {
  const LogRow row = make_log_row(result, {}, {});
  require(row.message.size() <= limits::kMaxLogMessageBytes + 100 && is_valid_utf8(row.message),
          "a log row's message is text, and bounded");
  require(row.memory_mb >= 0, "a log row's memory is no less than none");
}

void read_results(std::string_view text) {
  const auto kind = kind_of(text);
  const auto result = parse_job_result(text);
  const bool is_result = kind == JobKeyText::result || kind == JobKeyText::result_of_reference_worker;
  require(!is_result || result.has_value(), "what is known as a result is one");
  if (!result) return;
  if (is_result)
    require(result->of_reference_worker == (kind == JobKeyText::result_of_reference_worker), "whose it is, all agree");
  check_written(*result);
  check_row(*result);
  check_written(
      complete_reference_result(*result, {"r"}, AcceptedRun{.function = {"f"}, .input_apart = text.size() % 2 == 0}));
}

}  // namespace

INFRA_FUZZ_TARGET(job_result, read_results);

}  // namespace infra::fuzz
