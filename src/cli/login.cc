// infra login: a platform's address and key, kept as a profile.
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <iostream>

#include "cli/run_commands.h"
#include "cli/session.h"
#include "core/error_codes.h"
#include "core/text.h"

namespace infra::cli {
namespace {

volatile std::sig_atomic_t received = 0;

// A line from a terminal that does not show it, and that shows what is typed again however this ends: a signal is
// taken once that is done.
std::string read_hidden(std::string_view question, const termios& before) {
  constexpr std::array kEnding{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
  std::array<struct sigaction, kEnding.size()> others{};
  received = 0;
  struct sigaction note{};
  note.sa_handler = [](int number) { received = number; };  // without SA_RESTART: the read ends
  for (std::size_t i = 0; i < kEnding.size(); ++i) sigaction(kEnding[i], &note, &others[i]);
  termios hidden = before;
  hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  tcsetattr(STDIN_FILENO, TCSANOW, &hidden);
  fmt::print(stderr, "{}", question);
  std::string line;
  for (char letter = 0; received == 0 && read(STDIN_FILENO, &letter, 1) == 1 && letter != '\n';) line += letter;
  tcsetattr(STDIN_FILENO, TCSANOW, &before);
  for (std::size_t i = 0; i < kEnding.size(); ++i) sigaction(kEnding[i], &others[i], nullptr);
  if (received != 0) std::raise(received);
  return line;
}

// From a terminal without showing it; else the first line of stdin.
std::string read_key() {
  termios terminal{};
  std::string line;
  if (isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &terminal) == 0) {
    line = read_hidden("API key: ", terminal);
    fmt::print(stderr, "\n");
  } else {
    std::getline(std::cin, line);
  }
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
  Api api({.url = profile.url,
           .key = profile.key,
           .ca_file = profile.ca_file.empty() ? connection_variables().ca_file : profile.ca_file});
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
