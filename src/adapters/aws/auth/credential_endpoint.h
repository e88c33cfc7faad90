// The common part of the sources that ask over HTTP: short time-outs, a second try, and the JSON that ECS, EKS and EC2
// all answer with.
#pragma once

#include <string_view>

#include "adapters/aws/auth/credentials.h"
#include "net/http/http_client.h"

namespace infra::aws {

// Sent once more if there is no answer or a 5xx or 429. Gives the last answer, of any status.
Task<Result<net::Response>> ask_twice(net::HttpClient& http, net::ClientRequest request);

// {"AccessKeyId", "SecretAccessKey", "Token", "Expiration", perhaps "Code": "Success"}; `unavailable` if it is anything
// else. No message has a value out of it.
[[nodiscard]] Result<Credentials> read_credentials(std::string_view json);

}  // namespace infra::aws
