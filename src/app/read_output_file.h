// A file that one of a function's runs left in /output.
#pragma once

#include <optional>
#include <string>

#include "ports/code_store.h"
#include "ports/executor.h"
#include "ports/function_store.h"
#include "ports/log_store.h"
#include "ports/result_bus.h"

namespace infra::app {

// A job that was started more than once may have left files of each start. Those of the start that settled it are the
// run's, and no other's: a start that lost the job may have been the later one.
class ReadOutputFile {
 public:
  ReadOutputFile(FunctionStore& functions, LogStore& logs, ResultBus& results, CodeStore& code, Executor& executor)
      : functions_(functions), logs_(logs), results_(results), code_(code), executor_(executor) {}

  // not_found: no such function; or no such file, or it has expired, or the run has not ended (code
  // output_file_not_found).
  Task<Result<ByteSourcePtr>> open(FunctionId function, RequestId request, std::string name);

 private:
  // 0: none's. Nullopt: nothing tells of it.
  Task<Result<std::optional<int>>> settled_attempt(const FunctionId& function, const RequestId& request);
  Task<Result<std::optional<int>>> attempt_by_result(const FunctionId& function, const RequestId& request);

  FunctionStore& functions_;
  LogStore& logs_;
  ResultBus& results_;
  CodeStore& code_;
  Executor& executor_;
};

}  // namespace infra::app
