#include "http/error_response.h"

#include <fmt/format.h>

#include "core/error_codes.h"
#include "core/job_result.h"
#include "core/json_text.h"
#include "core/text.h"
#include "net/http/content_encoding.h"

namespace infra::http {

int status_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::invalid:
      return 400;
    case ErrorKind::unusable:
      return 422;
    case ErrorKind::unauthorized:
      return 401;
    case ErrorKind::forbidden:
      return 403;
    case ErrorKind::not_found:
      return 404;
    case ErrorKind::method_not_allowed:
      return 405;
    case ErrorKind::conflict:
      return 409;
    case ErrorKind::too_large:
      return 413;
    case ErrorKind::unsupported_media:
      return 415;
    case ErrorKind::rate_limited:
      return 429;
    case ErrorKind::unavailable:
      return 503;
    case ErrorKind::timeout:
      return 504;
    case ErrorKind::not_set_up:
      return 501;
    case ErrorKind::internal:
      return 500;
  }
  return 500;
}

net::Response json_response(int status, std::string body) {
  net::Response response{.status = status, .headers = {}, .body = std::move(body)};
  response.headers.add("Content-Type", "application/json; charset=utf-8");
  return response;
}

net::Response error_response(const Error& error, const RequestId& id, const RequestId* job) {
  std::string body =
      fmt::format(R"({{"error":{},"code":{},"requestId":{})", json_quote(replace_invalid_utf8(error.message)),
                  json_quote(error.code), json_quote(id.value));
  if (job != nullptr) body += fmt::format(R"(,"jobId":{})", json_quote(job->value));
  body += '}';
  auto response = json_response(status_of(error), std::move(body));
  if (error.retry_after.count() > 0) response.headers.add("Retry-After", std::to_string(error.retry_after.count()));
  if (error.kind == ErrorKind::unauthorized) response.headers.add("WWW-Authenticate", "Bearer");
  if (error.code == errors::unsupported_content_encoding)
    response.headers.add("Accept-Encoding", std::string(net::kAcceptedEncodings));
  return response;
}

}  // namespace infra::http
