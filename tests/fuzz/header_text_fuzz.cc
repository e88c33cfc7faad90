// What stands in headers and targets: parameters, percent-encoding, queries, dates. Each reading is undone, or made by
// another parser, and gives the same.
#include <fmt/format.h>

#include <boost/url/parse.hpp>
#include <map>
#include <string>

#include "adapters/aws/wire/http_date.h"
#include "core/text.h"
#include "fuzz/target.h"
#include "net/http/header_parameters.h"
#include "net/http/http_types.h"

namespace infra::fuzz {
namespace {

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out.append(c == '"' || c == '\\' ? 1 : 0, '\\').append(1, c);
  return out + "\"";
}

void check_parameters(std::string_view text) {
  const auto read = net::parse_parameterized(text);
  if (!read) return;
  std::string again = read->value;
  std::size_t bytes = read->value.size();
  for (const auto& [name, value] : read->parameters) {
    again += "; " + name + "=" + in_quotes(value);
    bytes += name.size() + value.size();
    const std::string* found = read->find(name);
    require(found != nullptr && *found == value, "a parameter is found by its name");
  }
  require(bytes <= text.size(), "a header's parameters are no longer than it");
  const auto reread = net::parse_parameterized(again);
  require(reread && reread->value == read->value && reread->parameters == read->parameters,
          "parameters that are written strictly read the same");
}

void check_percent(std::string_view text) {
  require(net::percent_decode(net::percent_encode(text)) == text, "what is encoded decodes to itself");
  if (const auto plain = net::percent_decode(text)) {
    require(plain->size() <= text.size(), "what is decoded gets no longer");
    require(net::percent_decode(net::percent_encode(*plain)) == plain, "what was decoded can be encoded");
  }
  if (const auto extended = net::decode_extended_value(text))
    require(is_valid_utf8(*extended), "an extended value is text");
}

void check_query(std::string_view text) {
  if (const auto named = net::query_value(text, "a"))
    require(named->size() <= text.size(), "a value is no longer than its query");
  const std::string target = "/?" + std::string(text);  // parse_query() of 1.81 looks for a NUL behind its view
  const auto parsed = boost::urls::parse_origin_form(target);
  if (!parsed || text.empty()) return;
  boost::urls::encoding_opts options;
  options.space_as_plus = true;
  const auto plain = [&](auto part) {
    std::string decoded;
    part.decode(options, boost::urls::string_token::assign_to(decoded));
    return decoded;
  };
  std::map<std::string, std::string> firsts;
  for (const auto& parameter : parsed->encoded_params()) firsts.emplace(plain(parameter.key), plain(parameter.value));
  for (const auto& [name, value] : firsts) {
    if (!name.empty()) require(net::query_value(text, name) == value, "a query's values are Boost.URL's");
  }
}

void check_date(std::string_view text) {
  const auto time = aws::parse_http_date(text);
  if (!time || text.substr(23, 2) == "60") return;  // a leap second is the next minute's first
  const auto day = std::chrono::floor<std::chrono::days>(*time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{*time - day};
  require(fmt::format("{:02}", static_cast<unsigned>(date.day())) == text.substr(5, 2), "a date's day is its own");
  require(fmt::format("{:04}", static_cast<int>(date.year())) == text.substr(12, 4), "a date's year is its own");
  require(fmt::format("{:02}:{:02}:{:02}", clock.hours().count(), clock.minutes().count(), clock.seconds().count()) ==
              text.substr(17, 8),
          "a date's time is its own");
}

void read_everything(std::string_view text) {
  check_parameters(text);
  check_percent(text);
  check_query(text);
  check_date(text);
}

}  // namespace

INFRA_FUZZ_TARGET(header_text, read_everything);

}  // namespace infra::fuzz
