// The AI node's address as it is configured, with or without a '/' at its end.
#pragma once

#include <string>
#include <string_view>

namespace infra {

[[nodiscard]] inline std::string node_endpoint(std::string node_url, std::string_view path) {
  while (node_url.ends_with('/')) node_url.pop_back();
  return node_url.append(path);
}

}  // namespace infra
