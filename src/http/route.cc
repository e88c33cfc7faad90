#include "http/route.h"

#include <algorithm>

namespace infra::http {
namespace {

using Params = std::vector<std::pair<std::string_view, std::string>>;

std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);  // the slash
  const auto segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

bool matches(std::string_view pattern, std::string_view path, Params& params) {
  params.clear();
  while (!pattern.empty() && !path.empty()) {
    const auto wanted = take_segment(pattern);
    if (wanted.starts_with('*')) {
      auto value = net::percent_decode(path.substr(1));
      if (path.size() == 1 || !value) return false;
      params.emplace_back(wanted.substr(1), std::move(*value));
      return true;
    }
    const auto given = take_segment(path);
    if (wanted.starts_with(':')) {
      auto value = net::percent_decode(given);
      if (given.empty() || !value) return false;
      params.emplace_back(wanted.substr(1), std::move(*value));
    } else if (wanted != given) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

}  // namespace

const std::string& Context::param(std::string_view name) const {
  return std::ranges::find(params, name, &std::pair<std::string_view, std::string>::first)->second;
}

void Router::match(Context& context) const {
  std::string_view path = context.request.path;
  if (path.starts_with("/api/")) {
    context.prefix = "/api";
    path.remove_prefix(4);
  }
  if (!path.starts_with('/')) return;
  if (path.size() > 1 && path.ends_with('/') && !path.ends_with("//")) path.remove_suffix(1);
  const std::string_view method = context.request.method == "HEAD" ? "GET" : std::string_view(context.request.method);
  Params params;
  for (const auto& route : routes_) {
    if (!matches(route.pattern, path, params)) continue;
    context.pattern = route.pattern;
    context.methods.push_back(route.method);
    if (route.method != method) continue;
    context.route = &route;
    context.params = std::move(params);
    return;
  }
}

}  // namespace infra::http
