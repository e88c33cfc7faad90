// /functions/:id/logs: the execution log of a function, and the files that its runs left.
#pragma once

#include "app/read_logs.h"
#include "app/read_output_file.h"
#include "http/route.h"

namespace infra::http {

class LogsHandler {
 public:
  LogsHandler(app::ReadLogs& logs, app::ReadOutputFile& files) : logs_(logs), files_(files) {}

  Task<Result<net::Response>> list(Context& context);
  Task<Result<net::Response>> get(Context& context);
  Task<Result<net::Response>> file(Context& context);

 private:
  app::ReadLogs& logs_;
  app::ReadOutputFile& files_;
};

}  // namespace infra::http
