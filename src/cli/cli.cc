#include "cli/cli.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/command_table.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/run_commands.h"
#include "cli/session.h"

namespace infra::cli {
namespace {

int print(std::string_view text) {
  fmt::print("{}{}", text, text.ends_with('\n') ? "" : "\n");
  return 0;
}

Failure no_such_command(std::string_view word) {
  std::vector<std::string_view> names;
  for (const auto& command : commands()) names.push_back(command.name);
  const std::string meant = nearest(word, names);
  return {.message = fmt::format("there is no command \"{}\"{}; `infra --help` lists them.", word,
                                 meant.empty() ? "" : fmt::format(", but {}", meant))};
}

// What was printed may stand in a buffer yet, or have met a full disk.
Exit flushed(Exit exit, const Output& output) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit;
  output.failure({.message = fmt::format("What it has to say can't be written: {}.", std::strerror(errno))});
  return Exit::usage;
}

// Which platform is asked, and how, may stand before the command too: it is read as if it came behind.
std::vector<const char*> with_command_first(std::span<const char* const> words) {
  std::size_t before = 0;
  while (before < words.size()) {
    const std::string_view word = words[before];
    const auto name = word.substr(0, word.find('='));
    const auto option = std::ranges::find(connection_options(), name, &Option::name);
    if (option == connection_options().end()) break;
    before += option->value.empty() || word.contains('=') ? 1 : 2;
  }
  if (before == 0 || before >= words.size()) return {words.begin(), words.end()};
  std::vector<const char*> all{words[before]};
  all.insert(all.end(), words.begin(), words.begin() + static_cast<std::ptrdiff_t>(before));
  all.insert(all.end(), words.begin() + static_cast<std::ptrdiff_t>(before) + 1, words.end());
  return all;
}

}  // namespace

int run(int argc, const char* const* argv, const Host& host) {
  const auto all = with_command_first({argv + std::min(argc, 1), argv + argc});
  const std::span<const char* const> words(all);
  if (words.empty()) return print(first_steps());
  const std::string_view first = words[0];
  if (first == "--version") return print(host.version);
  if (first == "--help" || first == "-h" || (first == "help" && words.size() == 1)) return print(overall_help());
  const bool asks_for_help = first == "help";
  const std::string_view name = asks_for_help ? std::string_view(words[1]) : first;
  const bool wants_json = std::ranges::find(words, std::string_view("--json")) != words.end();
  const Output output(wants_json);
  const auto fails = [&](const Failure& failure) {
    output.failure(failure);
    return std::to_underlying(failure.exit);
  };
  const Command* const command = find_command(name);
  if (command == nullptr) return fails(no_such_command(name));
  if (asks_for_help) return print(help_of(*command));
  const auto arguments = Arguments::read(*command, words.subspan(1));
  if (!arguments) return fails(arguments.error());
  if (arguments->has("--help")) return print(help_of(*command));
  if (command->name == "version") return print(host.version);
  if (command->run == nullptr) return host.start_platform(*arguments);
  Session session(*arguments, output);
  const auto done = command->run(session);
  if (!done) return fails(done.error());
  return std::to_underlying(flushed(*done, output));
}

Outcome<Exit> run_completion(Session& session) {
  const std::string text = completion(session.arguments.word(0));
  if (text.empty()) {
    return wrong_usage(fmt::format("There is no completion for \"{}\".", session.arguments.word(0)),
                       "infra completion bash|zsh|fish");
  }
  session.output.print(text);
  return Exit::ok;
}

Outcome<Exit> run_man(Session& session) {
  session.output.print(manual_page());
  return Exit::ok;
}

}  // namespace infra::cli
