// Rows as a table has them, ours or another program's: whatever is read can be written and reads the same, within the
// bounds that clients have.
#include <boost/json.hpp>
#include <cmath>
#include <string>

#include "adapters/aws/dynamodb/dynamodb_item.h"
#include "core/json_value.h"
#include "fuzz/target.h"

namespace infra::fuzz {
namespace {

void check_settings(const FunctionSettings& settings) {
  require(settings.memory_mb >= limits::kMinMemoryMb && settings.memory_mb <= limits::kMaxMemoryMb,
          "memory is in its bounds");
  require(settings.timeout >= limits::kMinTimeout && settings.timeout <= limits::kMaxTimeout,
          "a time-out is in its bounds");
  require(settings.keep_warm >= 0 && settings.keep_warm <= limits::kMaxKeepWarm, "what is kept warm is in its bounds");
  require(settings.max_concurrency >= 0 && settings.max_concurrency <= limits::kMaxConcurrency,
          "what runs at once is in its bounds");
}

void read_rows(std::string_view text) {
  const auto value = parse_json(text);
  if (!value || !value->is_object()) return;
  const Function function = aws::function_from(value->get_object());
  check_settings(function);
  const auto item = aws::to_item(function);
  require(aws::to_item(aws::function_from(item)) == item, "a function's row that is written is read");

  const LogRow row = aws::log_row_from(value->get_object());
  require(row.memory_mb >= 0 && row.expires_at > WallTime::min(), "a log row's numbers are in their bounds");
  if (row.expires_at == WallTime::max()) return;  // which no row of ours says
  const auto log_item = aws::to_item(row);
  require(aws::to_item(aws::log_row_from(log_item)) == log_item, "a log row that is written is read");
}

}  // namespace

INFRA_FUZZ_TARGET(stored_row, read_rows);

}  // namespace infra::fuzz
