#include "app/read_logs.h"

namespace infra::app {

Task<Result<LogPage>> ReadLogs::list(LogQuery query) {
  if (const auto function = co_await functions_.find(query.function_id); !function) co_return fail(function.error());
  co_return co_await logs_.list(query);
}

Task<Result<LogRow>> ReadLogs::find(FunctionId function, RequestId request) {
  if (const auto row = co_await functions_.find(function); !row) co_return fail(row.error());
  co_return co_await logs_.find(function, request);
}

}  // namespace infra::app
