#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/command_table.h"
#include "cli/output.h"

namespace infra::cli {
namespace {

constexpr std::string_view kWhat = "Infra runs functions: deploy a folder, invoke it by its name.";

// tools/cli_docs.py reads this table, too.
const std::vector<ExitMeaning> kExits = {
    {.exit = Exit::ok, .meaning = "It is done; of a run: SUCCESS."},
    {.exit = Exit::function_failed,
     .meaning = "The function failed: its run ended as FAILED or TIMEOUT, or its source does not compile."},
    {.exit = Exit::usage, .meaning = "It was typed wrong, or a file or setting of this machine can't be used."},
    {.exit = Exit::refused, .meaning = "The platform refused: a wrong key, no such function, a limit."},
    {.exit = Exit::platform_failed, .meaning = "The platform failed: a run ended as ERROR, or an answer was a 5xx."},
    {.exit = Exit::unreachable, .meaning = "No platform answered."},
};

std::string wrapped(std::string_view text, std::size_t indent, std::size_t columns = 100) {
  std::string lines(indent, ' ');
  std::size_t column = indent;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    if (column > indent && column + 1 + word.size() > columns) {
      lines.append("\n").append(indent, ' ');
      column = indent;
    } else if (column > indent) {
      lines += ' ';
      ++column;
    }
    lines += word;
    column += word.size();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines + "\n";
}

std::string usage_of(const Command& command) {
  return fmt::format("infra {}{}{}{}", command.name, command.arguments.empty() ? "" : " ", command.arguments,
                     options_of(command).empty() ? "" : " [OPTIONS]");
}

std::string option_words(const Option& option) {
  return fmt::format("{}{}{}{}{}", option.letter, option.letter.empty() ? "" : ", ", option.name,
                     option.value.empty() ? "" : " ", option.value);
}

std::string options_text(const std::vector<Option>& options) {
  Rows rows;
  for (const auto& option : options)
    rows.push_back(
        {"  " + option_words(option), std::string(option.help) + (option.many ? " May come several times." : "")});
  return table_text(rows);
}

// For troff: a backslash is its own, and a dot or quote at a line's front.
std::string roff(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else {
      escaped += c;
    }
  }
  return escaped.starts_with('.') || escaped.starts_with('\'') ? "\\&" + escaped : escaped;
}

std::string in_single_quotes(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string names_of(const std::vector<Option>& options) {
  std::string names;
  for (const auto& option : options)
    names +=
        fmt::format("{}{}{}{}", names.empty() ? "" : " ", option.letter, option.letter.empty() ? "" : " ", option.name);
  return names;
}

std::string bash_completion() {
  std::string text = R"(# bash completion for infra; made by `infra completion bash`
_infra() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W ")";
  for (const auto& command : commands()) text.append(command.name).append(" ");
  text += "--help --version\" -- \"$word\")\n    return\n  fi\n  case \"$command $before\" in\n";
  for (const auto& command : commands()) {
    for (const auto& option : options_of(command)) {
      if (option.choices.empty()) continue;
      text += fmt::format("    \"{} {}\") mapfile -t COMPREPLY < <(compgen -W \"{}\" -- \"$word\"); return ;;\n",
                          command.name, option.name, option.choices);
    }
  }
  text += "  esac\n  case $command in\n";
  for (const auto& command : commands()) {
    const std::string options = names_of(options_of(command));
    const bool files = command.completes == "files" || command.completes == "folders";
    text += fmt::format(
        "    {})\n      if [[ $word == -* ]]; then mapfile -t COMPREPLY < <(compgen -W \"{}\" -- \"$word\")\n",
        command.name, options);
    if (files) {
      text += fmt::format("      else mapfile -t COMPREPLY < <(compgen -{} -- \"$word\")\n",
                          command.completes == "files" ? "f" : "d");
    } else if (!command.completes.empty()) {
      text +=
          fmt::format("      elif ((COMP_CWORD == 2)); then mapfile -t COMPREPLY < <(compgen -W \"{}\" -- \"$word\")\n",
                      command.completes);
    }
    text += "      fi ;;\n";
  }
  return text + "  esac\n}\ncomplete -o bashdefault -o default -F _infra infra\n";
}

std::string zsh_completion() {
  std::string text =
      "#compdef infra\n# zsh completion for infra; made by `infra completion zsh`\n_infra() {\n  local -a commands\n  "
      "commands=(\n";
  for (const auto& command : commands())
    text += fmt::format("    {}\n", in_single_quotes(fmt::format("{}:{}", command.name, command.summary)));
  text += "  )\n  if ((CURRENT == 2)); then _describe command commands; return; fi\n  case $words[2] in\n";
  const auto plain = [](std::string_view help) {
    std::string cleaned(help);
    std::ranges::replace_if(cleaned, [](char c) { return c == '[' || c == ']' || c == ':'; }, ' ');
    return cleaned;
  };
  for (const auto& command : commands()) {
    text += fmt::format("    {}) _arguments", command.name);
    for (const auto& option : options_of(command)) {
      const std::string action = option.value.empty()     ? ""
                                 : option.choices.empty() ? fmt::format(":{}:_files", option.value)
                                                          : fmt::format(":{}:({})", option.value, option.choices);
      const std::string_view repeated = option.many ? "*" : "";
      text += " " + in_single_quotes(fmt::format("{}{}[{}]{}", repeated, option.name, plain(option.help), action));
      if (!option.letter.empty())
        text += " " + in_single_quotes(fmt::format("{}{}[{}]{}", repeated, option.letter, plain(option.help), action));
    }
    if (command.completes == "files") text += " '*:file:_files'";
    if (command.completes == "folders") text += " '*:folder:_files -/'";
    if (!command.completes.empty() && command.completes != "files" && command.completes != "folders")
      text += fmt::format(" '2:what:({})' '*:name:_files'", command.completes);
    text += " ;;\n";
  }
  return text + "  esac\n}\n_infra \"$@\"\n";
}

std::string fish_completion() {
  std::string text = "# fish completion for infra; made by `infra completion fish`\n";
  for (const auto& command : commands()) {
    text += fmt::format("complete -c infra -n __fish_use_subcommand -f -a {} -d {}\n", command.name,
                        in_single_quotes(command.summary));
  }
  for (const auto& command : commands()) {
    const std::string only = fmt::format("complete -c infra -n '__fish_seen_subcommand_from {}'", command.name);
    for (const auto& option : options_of(command)) {
      text += fmt::format("{} -l {}{}{}{} -d {}\n", only, option.name.substr(2),
                          option.letter.empty() ? "" : fmt::format(" -s {}", option.letter.substr(1)),
                          option.value.empty() ? "" : " -r",
                          option.choices.empty() ? "" : fmt::format(" -f -a '{}'", option.choices),
                          in_single_quotes(option.help));
    }
    if (command.completes == "folders") text += only + " -f -a '(__fish_complete_directories)'\n";
    if (!command.completes.empty() && command.completes != "files" && command.completes != "folders")
      text += fmt::format("{} -f -a '{}'\n", only, command.completes);
  }
  return text;
}

}  // namespace

const std::vector<ExitMeaning>& exit_meanings() {
  return kExits;
}

std::string overall_help() {
  std::string text = fmt::format("{}\n\nusage: infra COMMAND [OPTIONS]\n\ncommands:\n", kWhat);
  Rows rows;
  for (const auto& command : commands())
    rows.push_back({fmt::format("  {}", command.name), std::string(command.summary)});
  text += table_text(rows);
  text += "\nof each command that asks a platform:\n" + options_text(connection_options());
  text +=
      "\nThe platform and its key come from these options, else from INFRA_URL and INFRA_API_KEY, else from infra.toml "
      "(the "
      "URL alone),\nelse from the profile that `infra login` or `infra dev` wrote. `infra COMMAND --help` says "
      "more.\n\nexit "
      "status:\n";
  Rows exits;
  for (const auto& row : kExits)
    exits.push_back({fmt::format("  {}", std::to_underlying(row.exit)), std::string(row.meaning)});
  return text + table_text(exits);
}

std::string help_of(const Command& command) {
  std::string text = fmt::format("{}\n\nusage: {}\n", command.summary, usage_of(command));
  if (!command.details.empty()) text += "\n" + wrapped(command.details, 0);
  if (!command.options.empty()) text += "\noptions:\n" + options_text(command.options);
  if (command.asks) text += "\nwhich platform, and how it prints:\n" + options_text(connection_options());
  if (!command.examples.empty()) text += "\nexamples:\n";
  for (const auto& example : command.examples) text += fmt::format("  {}\n      {}\n", example.line, example.says);
  return text;
}

std::string first_steps() {
  return fmt::format(R"({}

  infra dev                      start it on this machine (in a terminal of its own)
  infra init python hello        make a function
  infra deploy hello             upload it
  infra invoke hello -d '{{"name": "Ada"}}'

`infra login URL` uses a platform that runs elsewhere; `infra --help` lists all commands.
)",
                     kWhat);
}

std::string manual_page() {
  std::string text = fmt::format(".TH INFRA 1 \"\" \"infra {}\" \"User Commands\"\n.SH NAME\ninfra \\- {}\n",
                                 INFRA_VERSION, roff("functions as a service in one program"));
  text += ".SH SYNOPSIS\n.B infra\n.I COMMAND\n[\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n";
  text += roff(kWhat) + "\nWithout a command it says what to do first.\n.SH COMMANDS\n";
  for (const auto& command : commands()) {
    text += fmt::format(".SS {}\n{}\n", roff(usage_of(command)), roff(command.summary));
    if (!command.details.empty()) text += ".PP\n" + roff(command.details) + "\n";
    for (const auto& option : command.options)
      text += fmt::format(".TP\n.B {}\n{}\n", roff(option_words(option)), roff(option.help));
    for (const auto& example : command.examples)
      text += fmt::format(".PP\n{}\n.PP\n.EX\n    {}\n.EE\n", roff(example.says), roff(example.line));
  }
  text += ".SH OPTIONS\nOf each command that asks a platform:\n";
  for (const auto& option : connection_options())
    text += fmt::format(".TP\n.B {}\n{}\n", roff(option_words(option)), roff(option.help));
  text += ".SH \"EXIT STATUS\"\n";
  for (const auto& row : kExits)
    text += fmt::format(".TP\n.B {}\n{}\n", std::to_underlying(row.exit), roff(row.meaning));
  text += ".SH ENVIRONMENT\n";
  const std::vector<std::pair<std::string_view, std::string_view>> variables = {
      {"INFRA_URL", "The platform's address, before what infra.toml and profiles say."},
      {"INFRA_API_KEY", "Its key."},
      {"INFRA_PROFILE", "The profile to use, in place of the default."},
      {"INFRA_CA_FILE", "Authorities in PEM that its certificate is verified against, in place of a profile's."},
      {"NO_COLOR", "If it is set to something, nothing is coloured."}};
  for (const auto& [name, meaning] : variables) text += fmt::format(".TP\n.B {}\n{}\n", name, roff(meaning));
  text += ".SH FILES\n.TP\n.I ~/.config/infra/profiles/NAME.toml\n" + roff("A platform's address and key, mode 600.") +
          "\n.TP\n.I infra.toml\nSettings of the function beside it.\n.TP\n.I .infraignore\n" +
          roff("What of a folder is not uploaded.") + "\n";
  return text;
}

std::string completion(std::string_view shell) {
  if (shell == "bash") return bash_completion();
  if (shell == "zsh") return zsh_completion();
  if (shell == "fish") return fish_completion();
  return {};
}

}  // namespace infra::cli
