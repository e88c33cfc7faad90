// Reads once: an environment does not change.
#include "adapters/aws/auth/environment_credentials.h"

#include "adapters/aws/auth/variables.h"
#include "core/error_codes.h"

namespace infra::aws {

EnvironmentCredentials::EnvironmentCredentials(const Variables& variables)
    : given_{.access_key_id = variable(variables, "AWS_ACCESS_KEY_ID"),
             .secret_access_key = variable(variables, "AWS_SECRET_ACCESS_KEY"),
             .session_token = variable(variables, "AWS_SESSION_TOKEN")} {}

Task<Result<Credentials>> EnvironmentCredentials::fetch() {
  const bool has_id = !given_.access_key_id.empty();
  const bool has_secret = !given_.secret_access_key.empty();
  if (has_id && has_secret) co_return given_;
  if (!has_id && !has_secret)
    co_return fail(errors::no_credentials.as(ErrorKind::not_found), "AWS_ACCESS_KEY_ID is not set.");
  co_return fail(errors::no_credentials.as(ErrorKind::invalid),
                 "Only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set; set both or neither.");
}

}  // namespace infra::aws
