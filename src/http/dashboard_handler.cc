#include "http/dashboard_handler.h"

#include <algorithm>

#include "core/error_codes.h"

namespace infra::http {
namespace {

constexpr std::string_view kPage = "index.html";

// Nothing runs, is shown or is sent anywhere but what is the dashboard's own; no text becomes markup (Trusted Types).
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'";

net::Response answer(const Context& context, const web::Asset& asset) {
  net::Response response;
  auto& headers = response.headers;
  headers.add("ETag", std::string(asset.etag));
  headers.add("Cache-Control", asset.immutable ? "public, max-age=31536000, immutable" : "no-cache");
  headers.add("X-Content-Type-Options", "nosniff");
  headers.add("Referrer-Policy", "no-referrer");
  if (asset.name == kPage) headers.add("Content-Security-Policy", std::string(kPolicy));
  if (context.request.headers.joined("if-none-match").contains(asset.etag)) {
    response.status = 304;
    return response;
  }
  headers.add("Content-Type", std::string(asset.type));
  if (!asset.encoding.empty()) headers.add("Content-Encoding", std::string(asset.encoding));
  response.body = asset.content;
  return response;
}

}  // namespace

const web::Asset* DashboardHandler::find(std::string_view name) const {
  const auto found = std::ranges::find(assets_, name, &web::Asset::name);
  return found == assets_.end() ? nullptr : &*found;
}

bool DashboardHandler::is_wanted(const Context& context) const {
  return context.request.headers.joined("accept").contains("text/html") && find(kPage) != nullptr;
}

Task<Result<net::Response>> DashboardHandler::page(Context& context) {
  co_return answer(context, *find(kPage));
}

Task<Result<net::Response>> DashboardHandler::asset(Context& context) {
  const auto* asset = find(context.param("name"));
  if (asset == nullptr || asset->name == kPage) {
    co_return fail(errors::unknown_route, "The dashboard has no such file; /assets/manifest.json lists them.");
  }
  co_return answer(context, *asset);
}

}  // namespace infra::http
