// /functions/:id/advice: how much memory a function should have, and giving it that.
#pragma once

#include "app/advise_memory.h"
#include "http/route.h"

namespace infra::http {

class AdviceHandler {
 public:
  explicit AdviceHandler(app::AdviseMemory& advise) : advise_(advise) {}

  Task<Result<net::Response>> get(Context& context);
  Task<Result<net::Response>> apply(Context& context);

 private:
  app::AdviseMemory& advise_;
};

}  // namespace infra::http
