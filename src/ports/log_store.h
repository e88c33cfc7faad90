// The execution log, with expiry, as it is read; its rows are put by the RunRecorder. Engines: SQLite, DynamoDB.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/job_result.h"
#include "core/task.h"

namespace infra {

inline constexpr int kTraceRows = 1000;  // a page of one trace's rows looks at so many, and its cursor goes on behind

struct LogQuery {
  FunctionId function_id;
  int limit = 50;
  std::optional<WallTime> start;  // rows at or after it
  std::string cursor;             // empty, or a page's next_cursor
  bool messages = true;           // false: rows come with an empty `message`, which may be most of what is read, and
                                  // may lack trace_id
  std::string trace_id{};         // only rows of this trace, of the kTraceRows that a page looks at; empty: all
};

struct LogPage {
  std::vector<LogRow> rows;  // newest first; a long `message` may be cut, to more than kListedMessageUnits
  std::string next_cursor;   // empty: this was the last page
};

// Every method may be called from any event thread, and fails with `unavailable` when the engine does not answer. Rows
// past expires_at are never given out.
class LogStore {
 public:
  virtual ~LogStore() = default;
  // `invalid` (code invalid_cursor) for a cursor that is not this store's.
  virtual Task<Result<LogPage>> list(const LogQuery& query) = 0;
  // The whole row; those of a list lack output_attempt.
  virtual Task<Result<LogRow>> find(const FunctionId& function, const RequestId& request) = 0;  // not_found
};

}  // namespace infra
