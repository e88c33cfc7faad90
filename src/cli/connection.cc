#include "cli/connection.h"

#include <fmt/format.h>

#include <boost/url/parse.hpp>
#include <cstdlib>

namespace infra::cli {
namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string first_of(std::initializer_list<std::string> texts) {
  for (const auto& text : texts) {
    if (!text.empty()) return text;
  }
  return {};
}

}  // namespace

ConnectionVariables connection_variables() {
  return {.url = variable("INFRA_URL"),
          .key = variable("INFRA_API_KEY"),
          .profile = variable("INFRA_PROFILE"),
          .ca_file = variable("INFRA_CA_FILE")};
}

Outcome<std::string> normal_url(std::string_view url) {
  while (url.ends_with('/')) url.remove_suffix(1);
  const auto parsed = boost::urls::parse_uri(url);
  if (!parsed || (parsed->scheme() != "http" && parsed->scheme() != "https") || parsed->encoded_host().empty() ||
      parsed->has_userinfo() || parsed->has_query() || parsed->has_fragment())
    return wrong_usage(fmt::format("\"{}\" is no platform's address: http:// or https://, a host and a port.", url));
  return std::string(url);
}

Outcome<Connection> choose_connection(const Arguments& arguments, const ConnectionVariables& variables,
                                      const std::string& project_url, const Profiles& profiles) {
  const std::string key = first_of({arguments.value("--api-key").value_or(""), variables.key});
  const std::string profile_name = first_of({arguments.value("--profile").value_or(""), variables.profile});
  // A profile that is named comes before what stands beside the code.
  const std::string named_url = first_of(
      {arguments.value("--url").value_or(""), variables.url, profile_name.empty() ? project_url : std::string()});

  std::optional<Profile> profile;
  if (!profile_name.empty() || named_url.empty()) {
    const std::string name = profile_name.empty() ? profiles.default_name() : profile_name;
    auto read = profiles.read(name);
    if (!read) return failed(std::move(read.error()));
    if (!*read && !profile_name.empty())
      return wrong_usage(fmt::format("There is no profile {}.", name),
                         fmt::format("infra login URL --profile {}", name));
    profile = std::move(*read);
  }
  if (named_url.empty() && !profile)
    return wrong_usage("No platform is known yet.", "infra dev (in another terminal), or infra login URL");
  auto url = normal_url(named_url.empty() ? profile->url : named_url);
  if (!url) return failed(std::move(url.error()));
  if (!profile) {
    auto known = profiles.with_url(*url);
    if (!known) return failed(std::move(known.error()));
    profile = std::move(*known);
  }
  const bool is_profiles = profile && profile->url == *url;
  Connection chosen{.url = *url,
                    .key = key,
                    .ca_file = first_of({variables.ca_file, is_profiles ? profile->ca_file : std::string()})};
  if (chosen.key.empty() && is_profiles) chosen.key = profile->key;
  if (chosen.key.empty())
    return wrong_usage(fmt::format("No key is known for {}.", *url), fmt::format("infra login {}", *url));
  return chosen;
}

}  // namespace infra::cli
