// Credentials that never change, for tests of what signs with them.
#pragma once

#include <atomic>

#include "adapters/aws/auth/credentials.h"

namespace infra::testing {

class StaticCredentials final : public aws::CredentialProvider {
 public:
  StaticCredentials(std::string access_key_id, std::string secret_access_key)
      : credentials_{.access_key_id = std::move(access_key_id),
                     .secret_access_key = std::move(secret_access_key),
                     .session_token = ""} {}
  Task<Result<aws::Credentials>> get(SteadyTime) override { co_return credentials_; }
  void refused(const aws::Credentials&) override { ++refusals_; }
  [[nodiscard]] int refusals() const { return refusals_; }

 private:
  aws::Credentials credentials_;
  std::atomic<int> refusals_{0};
};

}  // namespace infra::testing
