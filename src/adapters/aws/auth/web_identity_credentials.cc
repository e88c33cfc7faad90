// AssumeRoleWithWebIdentity is the one call that is not signed: the token is the proof.
#include "adapters/aws/auth/web_identity_credentials.h"

#include <fmt/format.h>

#include "adapters/aws/auth/credential_endpoint.h"
#include "adapters/aws/auth/variables.h"
#include "adapters/aws/wire/service_error.h"
#include "adapters/aws/wire/xml_text.h"
#include "core/error_codes.h"
#include "core/text.h"

namespace infra::aws {
namespace {

constexpr milliseconds kTimeout{3000};
constexpr std::uint64_t kMaxAnswerBytes = 64 * 1024;

std::unexpected<Error> unusable(ErrorKind kind, std::string why) {
  return fail(errors::no_credentials.as(kind), std::move(why));
}

Result<Credentials> read_answer(std::string_view xml) {
  Credentials credentials{.access_key_id = xml_text(xml, "AccessKeyId").value_or(""),
                          .secret_access_key = xml_text(xml, "SecretAccessKey").value_or(""),
                          .session_token = xml_text(xml, "SessionToken").value_or(""),
                          .expires_at = parse_iso8601(xml_text(xml, "Expiration").value_or(""))};
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty() || credentials.session_token.empty() ||
      !credentials.expires_at)
    return unusable(ErrorKind::unavailable, "STS answered without credentials.");
  return credentials;
}

}  // namespace

std::string sts_endpoint(const Variables& variables, std::string_view region) {
  auto endpoint = variable(variables, "AWS_ENDPOINT_URL_STS");
  while (endpoint.ends_with('/')) endpoint.pop_back();
  if (!endpoint.empty()) return endpoint;
  if (variable(variables, "AWS_STS_REGIONAL_ENDPOINTS") == "legacy") return "https://sts.amazonaws.com";
  return fmt::format("https://sts.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "");
}

WebIdentityCredentials::WebIdentityCredentials(const Variables& variables, std::string_view region,
                                               net::HttpClient& http, SmallFiles files)
    : token_file_(variable(variables, "AWS_WEB_IDENTITY_TOKEN_FILE")),
      role_arn_(variable(variables, "AWS_ROLE_ARN")),
      session_name_(variable(variables, "AWS_ROLE_SESSION_NAME")),
      endpoint_(sts_endpoint(variables, region)),
      http_(http),
      files_(std::move(files)) {
  if (session_name_.empty()) session_name_ = "infra";
}

Task<Result<Credentials>> WebIdentityCredentials::fetch() {
  if (token_file_.empty()) co_return unusable(ErrorKind::not_found, "AWS_WEB_IDENTITY_TOKEN_FILE is not set.");
  if (role_arn_.empty())
    co_return unusable(ErrorKind::invalid,
                       "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not; set both or neither.");
  const auto token = co_await files_.read(token_file_);
  if (!token) co_return unusable(ErrorKind::unavailable, token.error().message);
  net::ClientRequest request{.method = "POST",
                             .url = endpoint_ + "/",
                             .body = fmt::format("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}"
                                                 "&RoleSessionName={}&WebIdentityToken={}",
                                                 net::percent_encode(role_arn_), net::percent_encode(session_name_),
                                                 net::percent_encode(trim(*token))),
                             .timeout = kTimeout,
                             .max_response_bytes = kMaxAnswerBytes};
  request.headers.add("Content-Type", "application/x-www-form-urlencoded");
  const auto answer = co_await ask_twice(http_, std::move(request));
  if (!answer) co_return unusable(ErrorKind::unavailable, answer.error().message);
  if (answer->status == 200) co_return read_answer(answer->body);
  const auto said = read_service_error(*answer);
  co_return unusable(ErrorKind::unavailable, fmt::format("STS did not give the role {}: status {} {} {}", role_arn_,
                                                         answer->status, said.name, said.message));
}

}  // namespace infra::aws
