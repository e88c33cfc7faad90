// A function's execution log, for functions that exist.
#pragma once

#include "ports/function_store.h"
#include "ports/log_store.h"

namespace infra::app {

class ReadLogs {
 public:
  ReadLogs(FunctionStore& functions, LogStore& logs) : functions_(functions), logs_(logs) {}

  Task<Result<LogPage>> list(LogQuery query);                         // not_found: no such function
  Task<Result<LogRow>> find(FunctionId function, RequestId request);  // not_found: no such function, or no such row

 private:
  FunctionStore& functions_;
  LogStore& logs_;
};

}  // namespace infra::app
