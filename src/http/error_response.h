// The one place that gives an error its HTTP status and its body.
#pragma once

#include "core/error.h"
#include "core/ids.h"
#include "net/http/http_types.h"

namespace infra::http {

[[nodiscard]] int status_of(const Error& error);

// {"error": …, "code": …, "requestId": …}, with "jobId" too if `job` is given: that run goes on and can be asked for.
[[nodiscard]] net::Response error_response(const Error& error, const RequestId& id, const RequestId* job = nullptr);

[[nodiscard]] net::Response json_response(int status, std::string body);

}  // namespace infra::http
