// /keys, /whoami and /audit: keys beside the master key, who is asking, and what was changed by whom.
#pragma once

#include "app/audit.h"
#include "app/keys.h"
#include "http/route.h"

namespace infra::http {

class KeysHandler {
 public:
  KeysHandler(app::Keys& keys, app::Audit& audit) : keys_(keys), audit_(audit) {}

  Task<Result<net::Response>> list(Context& context);
  Task<Result<net::Response>> make(Context& context);
  Task<Result<net::Response>> rotate(Context& context);
  Task<Result<net::Response>> drop_old(Context& context);
  Task<Result<net::Response>> revoke(Context& context);
  Task<Result<net::Response>> whoami(Context& context);
  Task<Result<net::Response>> audit(Context& context);

 private:
  app::Keys& keys_;
  app::Audit& audit_;
};

}  // namespace infra::http
