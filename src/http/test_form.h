// Forms as tests of the HTTP interface write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/test_api.h"

namespace infra::http {

inline constexpr std::string_view kBoundary = "----test-boundary";
inline constexpr std::string_view kFormType = "multipart/form-data; boundary=----test-boundary";

struct Part {
  std::string name;
  std::optional<std::string> file_name;  // none: a field
  std::string content;
};

inline std::string form_body(const std::vector<Part>& parts) {
  std::string body;
  for (const auto& part : parts) {
    body.append("--")
        .append(kBoundary)
        .append("\r\nContent-Disposition: form-data; name=\"")
        .append(part.name)
        .append("\"");
    if (part.file_name) body.append("; filename=\"").append(*part.file_name).append("\"");
    body.append("\r\n\r\n").append(part.content).append("\r\n");
  }
  return body.append("--").append(kBoundary).append("--\r\n");
}

inline Sent form_request(std::string method, std::string target, const std::vector<Part>& parts,
                         std::vector<net::Header> headers = {}) {
  headers.emplace_back("Content-Type", kFormType);
  return {.method = std::move(method),
          .target = std::move(target),
          .body = form_body(parts),
          .headers = std::move(headers)};
}

}  // namespace infra::http
