// Which platform a command talks to, and with which key: options, then the environment, then infra.toml (its URL
// alone), then a profile.
#pragma once

#include <string>
#include <string_view>

#include "cli/arguments.h"
#include "cli/failure.h"
#include "cli/profiles.h"

namespace infra::cli {

struct Connection {
  std::string url;  // without a slash at its end
  std::string key;
  std::string ca_file;  // empty: the system's authorities
};

// The environment's part of it; empty: not set.
struct ConnectionVariables {
  std::string url{};      // INFRA_URL
  std::string key{};      // INFRA_API_KEY
  std::string profile{};  // INFRA_PROFILE
  std::string ca_file{};  // INFRA_CA_FILE
};
[[nodiscard]] ConnectionVariables connection_variables();

// A profile's key goes to the profile's URL alone: a folder from a stranger, whose infra.toml names a host of theirs,
// gets nobody's key.
[[nodiscard]] Outcome<Connection> choose_connection(const Arguments& arguments, const ConnectionVariables& variables,
                                                    const std::string& project_url, const Profiles& profiles);

// http:// or https:// and a host; without the slashes at its end.
[[nodiscard]] Outcome<std::string> normal_url(std::string_view url);

}  // namespace infra::cli
