// Short time-outs, because off EC2 nothing answers at the link-local address, not even with a refusal.
#include "adapters/aws/auth/instance_credentials.h"

#include <fmt/format.h>

#include "adapters/aws/auth/credential_endpoint.h"
#include "adapters/aws/auth/variables.h"
#include "core/error_codes.h"
#include "core/text.h"

namespace infra::aws {
namespace {

constexpr milliseconds kTimeout{1000};
constexpr std::uint64_t kMaxAnswerBytes = 64 * 1024;
constexpr std::string_view kRoles = "/latest/meta-data/iam/security-credentials/";

std::string endpoint_of(const Variables& variables) {
  auto endpoint = variable(variables, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  while (endpoint.ends_with('/')) endpoint.pop_back();
  if (!endpoint.empty()) return endpoint;
  const auto mode = ascii_lower(variable(variables, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"));
  return mode == "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
}

}  // namespace

InstanceCredentials::InstanceCredentials(const Variables& variables, net::HttpClient& http)
    : disabled_(ascii_lower(variable(variables, "AWS_EC2_METADATA_DISABLED")) == "true"),
      endpoint_(endpoint_of(variables)),
      http_(http) {}

Task<Result<Credentials>> InstanceCredentials::fetch() {
  if (disabled_) co_return fail(errors::no_credentials.as(ErrorKind::not_found), "AWS_EC2_METADATA_DISABLED is true.");
  const auto token = co_await ask("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds", "21600"});
  if (!token) co_return fail(token.error());
  const net::Header proof{"X-aws-ec2-metadata-token", std::string(trim(*token))};
  const auto roles = co_await ask("GET", std::string(kRoles), proof);
  if (!roles) {
    if (roles.error().kind != ErrorKind::not_found) co_return fail(roles.error());
    co_return fail(errors::no_credentials.as(ErrorKind::not_found), "this instance has no role.");
  }
  const auto role = trim(std::string_view(*roles).substr(0, roles->find('\n')));
  if (role.empty()) co_return fail(errors::no_credentials.as(ErrorKind::not_found), "this instance has no role.");
  const auto answer = co_await ask("GET", std::string(kRoles) + net::percent_encode(role), proof);
  if (!answer) co_return fail(errors::no_credentials, answer.error().message);
  co_return read_credentials(*answer);
}

Task<Result<std::string>> InstanceCredentials::ask(std::string method, std::string path, net::Header header) {
  net::ClientRequest request{.method = std::move(method),
                             .url = endpoint_ + path,
                             .timeout = kTimeout,
                             .connect_timeout = kTimeout,
                             .max_response_bytes = kMaxAnswerBytes};
  request.headers.add(std::move(header.first), std::move(header.second));
  auto answer = co_await ask_twice(http_, std::move(request));
  if (!answer) co_return fail(errors::no_credentials, answer.error().message);
  if (answer->status == 200) co_return std::move(answer->body);
  const auto kind = answer->status == 404 ? ErrorKind::not_found : ErrorKind::unavailable;
  co_return fail(errors::no_credentials.as(kind),
                 fmt::format("the metadata service answered {} with status {}.", path, answer->status));
}

}  // namespace infra::aws
