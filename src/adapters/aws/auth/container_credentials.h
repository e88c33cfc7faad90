// The role of an ECS task or an EKS pod: an endpoint beside the container answers with temporary credentials.
#pragma once

#include "adapters/aws/auth/credentials.h"
#include "adapters/aws/auth/small_file.h"
#include "net/http/http_client.h"

namespace infra::aws {

// Where AWS_CONTAINER_CREDENTIALS_RELATIVE_URI (on 169.254.170.2) or AWS_CONTAINER_CREDENTIALS_FULL_URI points.
// `not_found` if neither is set; `invalid` if plain HTTP would leave for another host than loopback or the addresses
// that ECS and EKS use.
[[nodiscard]] Result<std::string> container_url(const Variables& variables);

class ContainerCredentials final : public CredentialSource {
 public:
  // Sends AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE's content, read anew each time, or AWS_CONTAINER_AUTHORIZATION_TOKEN.
  ContainerCredentials(const Variables& variables, net::HttpClient& http, SmallFiles files);
  [[nodiscard]] std::string name() const override { return "container"; }
  Task<Result<Credentials>> fetch() override;

 private:
  Result<std::string> url_;
  std::string token_;
  std::string token_file_;
  net::HttpClient& http_;
  SmallFiles files_;
};

}  // namespace infra::aws
