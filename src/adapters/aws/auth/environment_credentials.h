// Credentials given as environment variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary ones,
// AWS_SESSION_TOKEN.
#pragma once

#include "adapters/aws/auth/credentials.h"

namespace infra::aws {

class EnvironmentCredentials final : public CredentialSource {
 public:
  explicit EnvironmentCredentials(const Variables& variables);
  [[nodiscard]] std::string name() const override { return "environment"; }
  Task<Result<Credentials>> fetch() override;  // `invalid` if only one of the first two is set

 private:
  Credentials given_;
};

}  // namespace infra::aws
