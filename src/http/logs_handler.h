// /functions/:id/logs: the execution log of a function.
#pragma once

#include "app/read_logs.h"
#include "http/route.h"

namespace infra::http {

class LogsHandler {
 public:
  explicit LogsHandler(app::ReadLogs& logs) : logs_(logs) {}

  Task<Result<net::Response>> list(Context& context);
  Task<Result<net::Response>> get(Context& context);

 private:
  app::ReadLogs& logs_;
};

}  // namespace infra::http
