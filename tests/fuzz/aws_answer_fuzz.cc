// AWS' answers, and what anything may say that listens on the addresses of its credentials: refusals in JSON, XML and
// headers, credentials, environments. What gets through to logs and error codes is short, and text.
#include <algorithm>
#include <array>
#include <string>

#include "adapters/aws/auth/credential_endpoint.h"
#include "adapters/aws/wire/service_error.h"
#include "adapters/aws/wire/stored_environment.h"
#include "adapters/aws/wire/xml_text.h"
#include "core/text.h"
#include "fuzz/target.h"

namespace infra::fuzz {
namespace {

bool is_plain_name(std::string_view name) {
  return name.size() <= 100 && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
         });
}

void check_error(int status, net::Response response) {
  const auto said = aws::read_service_error(response);
  require(is_plain_name(said.name), "an error's name is one");
  // A byte that is no text becomes three.
  require(said.message.size() <= 600 && is_valid_utf8(said.message), "an error's words are text, and few");
  require(said.message.find_first_of("\r\n") == std::string::npos, "an error's words are one line");
  const auto error = aws::to_error("S3", status, said, aws::cause_of(status, said.name));
  require(!error.code.empty() && error.message.size() < 2000, "a refusal has a code");
  (void)aws::surely_not_done(error);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return out;
}

void check_xml(std::string_view text) {
  if (const auto inside = aws::xml_text(text, "Code"))
    require(inside->size() <= text.size(), "an element is a part of its answer");
  require(aws::xml_text("<Error><Code>" + escaped(text) + "</Code></Error>", "Code") == text,
          "an element that is written is read");
}

void check_environment_of(std::string_view text) {
  for (const auto& [name, value] : aws::read_stored_environment(text)) {
    require(infra::check_environment({{name, value}}).has_value(), "a stored variable is one that a client may set");
  }
}

void read_answers(std::string_view input) {
  constexpr std::array kStatuses{200, 400, 403, 404, 409, 412, 413, 429, 500, 503};
  const int status = kStatuses.at(take_byte(input) % kStatuses.size());
  net::Response response{.status = status, .headers = {}, .body = std::string(input)};
  check_error(status, response);
  response.headers.add("x-amzn-ErrorType", std::string(input));
  response.body.clear();
  check_error(status, response);
  if (const auto credentials = aws::read_credentials(input)) {
    require(!credentials->access_key_id.empty() && !credentials->secret_access_key.empty(), "credentials are whole");
  }
  check_xml(input);
  check_environment_of(input);
}

}  // namespace

INFRA_FUZZ_TARGET(aws_answer, read_answers);

}  // namespace infra::fuzz
