// A command of the program as a row: what it is called, takes and prints. The table of them (command_table.h) is the
// one source of --help, docs/cli.md, the man page and the shells' completion.
#pragma once

#include <string_view>
#include <vector>

#include "cli/failure.h"

namespace infra::cli {

class Session;

struct Option {
  std::string_view name;      // "--env"
  std::string_view value{};   // what stands for its value in the help; empty: it takes none
  std::string_view letter{};  // "-d"; empty: none
  std::string_view help{};
  std::string_view choices{};  // for completion, separated by spaces
  bool many = false;           // may come several times
};

struct Example {
  std::string_view line;
  std::string_view says;
};

struct Command {
  std::string_view name;
  std::string_view arguments{};  // as the usage shows them
  std::string_view completes{};  // what the shell offers for them: "files", "folders", or words; empty: nothing
  std::string_view summary{};
  std::string_view details{};
  int least = 0;  // arguments
  int most = 0;
  bool asks = true;                                  // a running Infra: has the options that say which
  Outcome<Exit> (*run)(Session& session) = nullptr;  // null: main has it, as it starts the platform
  std::vector<Option> options{};
  std::vector<Example> examples{};
};

}  // namespace infra::cli
