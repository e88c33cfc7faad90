// GET /openapi.json: the interface about itself. It has nothing that is secret, and needs no key.
#pragma once

#include "http/route.h"

namespace infra::http {

// 304 where If-None-Match names the document that there is.
Task<Result<net::Response>> describe_api(Context& context);

}  // namespace infra::http
