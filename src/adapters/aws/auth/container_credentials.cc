// The host that answers here decides what we sign with, and gets our token, so plain HTTP goes to the neighbours alone.
#include "adapters/aws/auth/container_credentials.h"

#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>
#include <boost/url/parse.hpp>

#include "adapters/aws/auth/credential_endpoint.h"
#include "adapters/aws/auth/variables.h"
#include "core/error_codes.h"
#include "core/text.h"

namespace infra::aws {
namespace {

using boost::asio::ip::make_address;

constexpr milliseconds kTimeout{2000};
constexpr std::uint64_t kMaxAnswerBytes = 64 * 1024;

bool is_neighbour(std::string host) {
  if (host == "localhost") return true;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto address = make_address(host, error);
  if (error) return false;
  return address.is_loopback() || address == make_address("169.254.170.2") ||
         address == make_address("169.254.170.23") || address == make_address("fd00:ec2::23");
}

}  // namespace

Result<std::string> container_url(const Variables& variables) {
  const auto relative = variable(variables, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  if (!relative.empty()) {
    if (relative.starts_with('/')) return "http://169.254.170.2" + relative;
    return fail(errors::no_credentials.as(ErrorKind::invalid),
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must be a path that starts with a slash.");
  }
  auto full = variable(variables, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (full.empty())
    return fail(errors::no_credentials.as(ErrorKind::not_found),
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set.");
  const auto parsed = boost::urls::parse_uri(full);
  // Boost 1.81 reads "http://127.0.0.1.example.com/" as the host 127.0.0.1 with the path ".example.com/".
  const bool whole_host = parsed && (parsed->encoded_path().empty() || parsed->encoded_path().starts_with('/'));
  const bool allowed =
      whole_host && (parsed->scheme_id() == boost::urls::scheme::https ||
                     (parsed->scheme_id() == boost::urls::scheme::http && is_neighbour(parsed->host())));
  if (allowed) return full;
  return fail(errors::no_credentials.as(ErrorKind::invalid),
              "AWS_CONTAINER_CREDENTIALS_FULL_URI must be an https URL, or an http one to loopback, 169.254.170.2, "
              "169.254.170.23 or [fd00:ec2::23].");
}

ContainerCredentials::ContainerCredentials(const Variables& variables, net::HttpClient& http, SmallFiles files)
    : url_(container_url(variables)),
      token_(variable(variables, "AWS_CONTAINER_AUTHORIZATION_TOKEN")),
      token_file_(variable(variables, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")),
      http_(http),
      files_(std::move(files)) {}

Task<Result<Credentials>> ContainerCredentials::fetch() {
  if (!url_) co_return fail(url_.error());
  net::ClientRequest request{
      .url = *url_, .timeout = kTimeout, .connect_timeout = kTimeout, .max_response_bytes = kMaxAnswerBytes};
  request.headers.add("Accept", "application/json");
  std::string token = token_;
  if (!token_file_.empty()) {
    const auto text = co_await files_.read(token_file_);
    if (!text) co_return fail(errors::no_credentials, text.error().message);
    token = trim(*text);
  }
  if (!token.empty()) request.headers.add("Authorization", std::move(token));
  const auto answer = co_await ask_twice(http_, std::move(request));
  if (!answer) co_return fail(errors::no_credentials, answer.error().message);
  if (answer->status != 200)
    co_return fail(errors::no_credentials,
                   fmt::format("the endpoint beside the container answered with status {}.", answer->status));
  co_return read_credentials(answer->body);
}

}  // namespace infra::aws
