// /upload and /functions: deploying, listing, changing and removing functions.
#pragma once

#include "app/audit.h"
#include "app/deploy_by_name.h"
#include "http/route.h"
#include "ports/function_store.h"
#include "ports/quarantine.h"
#include "ports/staging.h"

namespace infra::http {

class FunctionsHandler {
 public:
  // `quarantine` may be null: there is none.
  FunctionsHandler(app::DeployFunction& deploy, app::DeployByName& by_name, FunctionStore& functions, Staging& staging,
                   const Clock& clock, const Quarantine* quarantine, app::Audit& audit)
      : deploy_(deploy),
        by_name_(by_name),
        functions_(functions),
        staging_(staging),
        clock_(clock),
        quarantine_(quarantine),
        audit_(audit) {}

  Task<Result<net::Response>> upload(Context& context);
  Task<Result<net::Response>> list(Context& context);
  Task<Result<net::Response>> get(Context& context);
  Task<Result<net::Response>> update(Context& context);
  Task<Result<net::Response>> remove(Context& context);

 private:
  Task<Result<void>> tell_of_look(const Context& context);

  app::DeployFunction& deploy_;
  app::DeployByName& by_name_;
  FunctionStore& functions_;
  Staging& staging_;
  const Clock& clock_;
  const Quarantine* const quarantine_;
  app::Audit& audit_;
};

}  // namespace infra::http
