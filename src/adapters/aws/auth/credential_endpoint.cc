// Every answer is read with suspicion: it comes from a network address that anything may listen on.
#include "adapters/aws/auth/credential_endpoint.h"

#include <boost/json/parse.hpp>

#include "core/error_codes.h"
#include "core/json_value.h"

namespace infra::aws {
namespace {

namespace json = boost::json;

constexpr int kTries = 2;

std::unexpected<Error> unreadable(std::string why) {
  return fail(errors::no_credentials, std::move(why));
}

}  // namespace

Task<Result<net::Response>> ask_twice(net::HttpClient& http, net::ClientRequest request) {
  for (int attempt = 1;; ++attempt) {
    auto answer = co_await http.send(request);
    const bool again = !answer || answer->status >= 500 || answer->status == 429;
    if (!again || attempt == kTries) co_return answer;
  }
}

Result<Credentials> read_credentials(std::string_view text) {
  boost::system::error_code error;
  const auto root = json::parse(text, error);
  if (error || !root.is_object()) return unreadable("the answer is no JSON object.");
  const auto& object = root.get_object();
  if (const auto code = text_of(object, "Code"); !code.empty() && code != "Success")
    return unreadable("the answer says that it has none at the moment.");
  Credentials credentials{.access_key_id = text_of(object, "AccessKeyId"),
                          .secret_access_key = text_of(object, "SecretAccessKey"),
                          .session_token = text_of(object, "Token")};
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty())
    return unreadable("the answer has no AccessKeyId or no SecretAccessKey.");
  if (const auto expiration = text_of(object, "Expiration"); !expiration.empty()) {
    credentials.expires_at = parse_iso8601(expiration);
    if (!credentials.expires_at) return unreadable("the answer's Expiration is no date.");
  }
  return credentials;
}

}  // namespace infra::aws
