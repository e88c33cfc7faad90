#include "platform/engines/aws/aws_answers.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <chrono>
#include <utility>

#include "core/time.h"

namespace infra::simulation {
namespace {

std::string escaped(std::string_view text) {
  std::string xml;
  for (const char c : text) {
    if (c == '<') {
      xml += "&lt;";
    } else if (c == '&') {
      xml += "&amp;";
    } else {
      xml += c;
    }
  }
  return xml;
}

}  // namespace

net::Response json_answer(const boost::json::object& fields) {
  net::Response response{.status = 200, .headers = {}, .body = boost::json::serialize(fields)};
  response.headers.add("Content-Type", "application/x-amz-json-1.0");
  return response;
}

net::Response json_refusal(std::string_view prefix, const Refusal& refusal) {
  auto response = json_answer({{"__type", fmt::format("{}#{}", prefix, refusal.name)}, {"message", refusal.message}});
  response.status = refusal.status;
  return response;
}

net::Response xml_refusal(const Refusal& refusal) {
  net::Response response{.status = refusal.status, .headers = {}, .body = {}};
  response.headers.add("Content-Type", "application/xml");
  response.body =
      fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>",
                  refusal.name, escaped(refusal.message));
  return response;
}

std::string http_date(WallTime time) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S GMT}", std::chrono::floor<std::chrono::seconds>(time));
}

std::optional<WallTime> read_amz_date(std::string_view text) {
  if (text.size() != 16) return std::nullopt;
  return parse_iso8601(fmt::format("{}-{}-{}T{}:{}:{}Z", text.substr(0, 4), text.substr(4, 2), text.substr(6, 2),
                                   text.substr(9, 2), text.substr(11, 2), text.substr(13, 2)));
}

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace infra::simulation
