// What both clients on libcurl do alike: what may be sent, curl's own list of header lines, what messages say of a URL.
#pragma once

#include <curl/curl.h>

#include <algorithm>
#include <boost/url/parse.hpp>
#include <new>
#include <string>
#include <string_view>

#include "net/http/http_types.h"

namespace infra::net {

// No user, no password, no path, no query.
[[nodiscard]] inline std::string origin_of(const std::string& url) {
  const auto parsed = boost::urls::parse_uri(url);
  if (!parsed) return "the given URL";
  std::string origin(parsed->scheme());
  origin.append("://").append(parsed->encoded_host());
  if (parsed->has_port()) origin.append(":").append(parsed->port());
  return origin;
}

[[nodiscard]] inline bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

// Of a request with a method, a URL and headers.
template <typename Request>
[[nodiscard]] bool is_sendable(const Request& request) {
  return !has_line_break(request.method) && !has_line_break(request.url) &&
         std::ranges::none_of(request.headers.all(), [](const Header& header) {
           return has_line_break(header.first) || has_line_break(header.second) || header.first.empty();
         });
}

// Freed at the end.
struct HeaderList {
  curl_slist* list = nullptr;
  HeaderList() = default;
  ~HeaderList() { curl_slist_free_all(list); }
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  void add(const std::string& line) {
    auto* const longer = curl_slist_append(list, line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    list = longer;
  }
};

}  // namespace infra::net
