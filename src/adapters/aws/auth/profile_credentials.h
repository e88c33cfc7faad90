// Long-lived keys out of the files that AWS's tools share: ~/.aws/credentials, then ~/.aws/config, under the profile
// that AWS_PROFILE names ("default" otherwise).
#pragma once

#include "adapters/aws/auth/credentials.h"
#include "ports/executor.h"

namespace infra::aws {

class ProfileCredentials final : public CredentialSource {
 public:
  // Reads HOME, AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE.
  ProfileCredentials(const Variables& variables, Executor& executor);
  [[nodiscard]] std::string name() const override { return "shared profile"; }
  // `invalid` if AWS_PROFILE names a profile that is not there, or if the profile gets its keys in a way that isn't
  // read here (credential_process, SSO, role_arn).
  Task<Result<Credentials>> fetch() override;

 private:
  Executor& executor_;
  std::string profile_;
  bool profile_was_named_;
  std::string credentials_file_;  // empty: no HOME, so none
  std::string config_file_;
};

}  // namespace infra::aws
