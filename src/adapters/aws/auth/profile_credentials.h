// Long-lived keys out of the files that AWS's tools share: ~/.aws/credentials, then ~/.aws/config, under the profile
// that AWS_PROFILE names ("default" otherwise).
#pragma once

#include "adapters/aws/auth/credentials.h"
#include "adapters/aws/auth/small_file.h"

namespace infra::aws {

struct ProfileFiles {
  std::string credentials, config;  // empty: no HOME, so none
};
[[nodiscard]] ProfileFiles profile_files(const Variables& variables);

class ProfileCredentials final : public CredentialSource {
 public:
  // Reads HOME, AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE.
  ProfileCredentials(const Variables& variables, SmallFiles files);
  [[nodiscard]] std::string name() const override { return "shared profile"; }
  // `invalid` if AWS_PROFILE names a profile that is not there, or if the profile gets its keys in a way that isn't
  // read here (credential_process, SSO, role_arn).
  Task<Result<Credentials>> fetch() override;

 private:
  SmallFiles files_;
  std::string profile_;
  bool profile_was_named_;
  ProfileFiles paths_;
};

}  // namespace infra::aws
