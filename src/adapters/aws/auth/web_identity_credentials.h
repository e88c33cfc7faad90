// A role assumed with a token that something else issued (IRSA on EKS): the token in a file is exchanged at STS.
#pragma once

#include "adapters/aws/auth/credentials.h"
#include "adapters/aws/auth/small_file.h"
#include "net/http/http_client.h"

namespace infra::aws {

class WebIdentityCredentials final : public CredentialSource {
 public:
  // Reads AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME, AWS_STS_REGIONAL_ENDPOINTS ("legacy": the
  // global endpoint) and AWS_ENDPOINT_URL_STS.
  WebIdentityCredentials(const Variables& variables, std::string_view region, net::HttpClient& http, SmallFiles files);
  [[nodiscard]] std::string name() const override { return "web identity"; }
  Task<Result<Credentials>> fetch() override;

 private:
  std::string token_file_;
  std::string role_arn_;
  std::string session_name_;
  std::string endpoint_;
  net::HttpClient& http_;
  SmallFiles files_;
};

// Where STS is for a region, as these variables have it; no trailing slash.
[[nodiscard]] std::string sts_endpoint(const Variables& variables, std::string_view region);

}  // namespace infra::aws
