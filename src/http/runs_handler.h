// /run and /status: executing functions and asking for results.
#pragma once

#include "app/invoke_function.h"
#include "http/route.h"
#include "ports/result_bus.h"

namespace infra::http {

class RunsHandler {
 public:
  RunsHandler(app::InvokeFunction& invoke, ResultBus& results) : invoke_(invoke), results_(results) {}

  Task<Result<net::Response>> run(Context& context);
  Task<Result<net::Response>> status(Context& context);

 private:
  app::InvokeFunction& invoke_;
  ResultBus& results_;
};

}  // namespace infra::http
