// Function metadata; the counters in it are the RunRecorder's. Engines: SQLite, DynamoDB.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "core/function.h"
#include "core/task.h"

namespace infra {

struct FunctionPage {
  std::vector<Function> functions;  // oldest first
  std::string next_cursor;          // empty: this was the last page; else opaque, for the same store
};

// Every method may be called from any event thread, and fails with `unavailable` when the engine does not answer.
class FunctionStore {
 public:
  virtual ~FunctionStore() = default;

  // Durable when it returns. `conflict` if the id exists.
  virtual Task<Result<void>> insert(const Function& function) = 0;

  // On the path of every run: served from memory where that is known to be current. `not_found`.
  virtual Task<Result<Function>> find(const FunctionId& id) = 0;

  // The same as the engine has it at some moment after the call, never from memory: for changes that depend on it.
  virtual Task<Result<Function>> find_current(const FunctionId& id) = 0;

  // Applies the change to the row as it then is, atomically; `version` grows by one and `updated_at` is `now`. Durable
  // when it returns. Gives the row as it was before, so that the caller can retire its code. `not_found`: nothing is
  // created.
  virtual Task<Result<Function>> update(const FunctionId& id, const FunctionChange& change, WallTime now) = 0;

  // Gives the row as it was. `not_found`.
  virtual Task<Result<Function>> remove(const FunctionId& id) = 0;

  // `cursor` is empty or a page's next_cursor; `invalid` (code invalid_cursor) if it is neither.
  virtual Task<Result<FunctionPage>> list(int limit, const std::string& cursor) = 0;
};

}  // namespace infra
