// The role of an EC2 instance, from its metadata service, version 2: a session token first, then the role's name, then
// its credentials. Version 1 is not used.
#pragma once

#include "adapters/aws/auth/credentials.h"
#include "net/http/http_client.h"

namespace infra::aws {

class InstanceCredentials final : public CredentialSource {
 public:
  // Reads AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT and AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE.
  InstanceCredentials(const Variables& variables, net::HttpClient& http);
  [[nodiscard]] std::string name() const override { return "instance metadata"; }
  Task<Result<Credentials>> fetch() override;  // off EC2 it takes at most 2 s to say `unavailable`

 private:
  // The body of a 200; `not_found` for a 404.
  Task<Result<std::string>> ask(std::string method, std::string path, net::Header header);

  bool disabled_;
  std::string endpoint_;
  net::HttpClient& http_;
};

}  // namespace infra::aws
