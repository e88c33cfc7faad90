// infra login: a platform's address and key, kept as a profile.
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "cli/run_commands.h"
#include "cli/session.h"
#include "core/at_end.h"
#include "core/error_codes.h"
#include "core/text.h"

namespace infra::cli {
namespace {

// From a terminal without showing it; else the first line of stdin.
std::string read_key() {
  termios before{};
  const bool terminal = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before) == 0;
  const AtEnd show_again([&] {
    if (terminal) tcsetattr(STDIN_FILENO, TCSANOW, &before);
  });
  if (terminal) {
    termios hidden = before;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &hidden);
    fmt::print(stderr, "API key: ");
  }
  std::string line;
  std::getline(std::cin, line);
  if (terminal) fmt::print(stderr, "\n");
  return std::string(trim(line));
}

std::string name_for(const std::string& url) {
  std::string name = url.substr(url.find("://") + 3);
  name.resize(std::min(name.find('/'), name.size()));
  std::ranges::replace_if(name, [](char c) { return !is_profile_name(std::string_view(&c, 1)) && c != '.'; }, '-');
  return name.starts_with('.') ? "x" + name : name;
}

}  // namespace

Outcome<Exit> run_login(Session& session) {
  const Arguments& arguments = session.arguments;
  auto url = normal_url(arguments.word(0));
  if (!url) return failed(std::move(url.error()));
  Profile profile{.name = arguments.value("--profile").value_or(name_for(*url)), .url = *url, .key = {}};
  if (!is_profile_name(profile.name))
    return wrong_usage(fmt::format("\"{}\" is no profile's name: letters, digits, '-', '_' and '.'.", profile.name));
  if (const auto file = arguments.value("--ca-file")) {
    std::error_code error;
    profile.ca_file = std::filesystem::absolute(*file, error).string();
    if (!std::filesystem::exists(profile.ca_file, error)) return wrong_usage(fmt::format("There is no {}.", *file));
  }
  profile.key = arguments.value("--api-key").value_or("");
  if (profile.key.empty()) profile.key = read_key();
  if (profile.key.empty()) return wrong_usage("No key was given.");
  Api api({.url = profile.url, .key = profile.key, .ca_file = profile.ca_file});
  if (auto tried = api.get("/functions?limit=1"); !tried) {
    if (tried.error().code == errors::unauthorized)
      tried.error().next = "give the key that the platform was started with";
    return failed(std::move(tried.error()));
  }
  auto kept = session.profiles.write(profile);
  if (kept) kept = session.profiles.make_default(profile.name);
  if (!kept) return failed(std::move(kept.error()));
  if (session.output.json()) {
    session.output.print(fmt::format(R"({{"profile":"{}","url":"{}"}})", profile.name, profile.url));
  } else {
    session.output.print(fmt::format("logged in to {}; the profile {} is the default now", profile.url, profile.name));
  }
  return Exit::ok;
}

}  // namespace infra::cli
