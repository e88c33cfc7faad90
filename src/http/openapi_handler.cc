#include "http/openapi_handler.h"

#include "http/error_response.h"
#include "http/openapi_document.h"

namespace infra::http {
namespace {

// A list of tags, weak or not, or "*" (RFC 9110, 13.1.2). Tags of ours have no comma in them, and none is part of
// another.
bool names_ours(std::string_view list) {
  return list == "*" || list.find(openapi_etag()) != std::string_view::npos;
}

}  // namespace

Task<Result<net::Response>> describe_api(Context& context) {
  const auto known = context.request.headers.find("if-none-match");
  net::Response response{.status = 304, .headers = {}, .body = {}};
  if (!known || !names_ours(*known)) response = json_response(200, std::string(openapi_document()));
  response.headers.set("ETag", std::string(openapi_etag()));
  response.headers.set("Cache-Control", "no-cache");  // kept, and asked for each time
  co_return response;
}

}  // namespace infra::http
