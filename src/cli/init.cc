// infra init: a function to begin with, and what goes beside its code.
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "cli/function_options.h"
#include "cli/ignore_rules.h"
#include "cli/run_commands.h"
#include "cli/session.h"
#include "core/runtime.h"

namespace infra::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPython = R"(def handler(event, context):
    name = (event or {}).get("name", "world")
    print(f"greeting {name}")  # goes to the logs
    return {"greeting": f"Hello, {name}!"}
)";

constexpr std::string_view kNode = R"(exports.handler = async (event, context) => {
  const name = event?.name ?? 'world';
  console.log(`greeting ${name}`); // goes to the logs
  return { greeting: `Hello, ${name}!` };
};
)";

constexpr std::string_view kCpp = R"(#include <cstdio>
#include <infra.hpp>
#include <string>

// The event comes as JSON text, and JSON text is what goes back.
std::string handler(const std::string& event, const infra::Context& context) {
  std::printf("run %s\n", context.request_id.c_str());  // goes to the logs
  return "{\"youSaid\":" + event + "}";
}
INFRA_HANDLER(handler)
)";

constexpr std::string_view kGo = R"(package main

import (
	"encoding/json"
	"fmt"

	"infra"
)

type person struct {
	Name string `json:"name"`
}

func greet(ctx infra.Context, event json.RawMessage) (any, error) {
	who := person{Name: "world"}
	if err := json.Unmarshal(event, &who); err != nil {
		return nil, err
	}
	fmt.Println("greeting", who.Name) // goes to the logs
	return map[string]string{"greeting": "Hello, " + who.Name + "!"}, nil
}

func main() {
	infra.Handle(greet)
}
)";

constexpr std::array<std::string_view, kRuntimes.size()> kCode = {kPython, kNode, kCpp, kGo};  // by number

constexpr std::string_view kProject = R"(# What infra deploy sets. Options of the command come before what stands here.
name = "{}"
runtime = "{}"
memory = 128              # MB
timeout = "30s"
# description = "What it is for."
# network = "egress"      # connections to public addresses; "none" if nothing is said
# keep_warm = 1           # instances that wait for calls
# max_concurrency = 10    # runs at once

# [env]
# GREETING = "Hello"
)";

constexpr std::string_view kIgnore = R"(# What is not uploaded, as in .gitignore.
event.json
README.md
*.log
)";

bool is_name(std::string_view name) {
  constexpr std::size_t kLongest = 64;
  return !name.empty() && name.size() <= kLongest && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

// False if something of that name is there already.
Outcome<bool> make_file(const fs::path& path, std::string_view text) {
  std::error_code error;
  if (fs::exists(path, error)) return false;
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return wrong_usage(fmt::format("{} can't be written: {}.", path.string(), std::strerror(errno)));
  return true;
}

}  // namespace

Outcome<Exit> run_init(Session& session) {
  const auto runtime = parse_runtime(session.arguments.word(0));
  if (!runtime) {
    return wrong_usage(fmt::format("There is no runtime \"{}\".", session.arguments.word(0)),
                       "infra init python|nodejs|cpp|go NAME");
  }
  const fs::path folder = session.arguments.word(1);
  std::error_code error;
  const std::string name = fs::absolute(folder, error).lexically_normal().filename().string();
  if (!is_name(name)) {
    return wrong_usage(fmt::format("\"{}\" is no function's name: 1 to 64 letters, digits, _ and -.", name));
  }
  fs::create_directories(folder, error);
  if (error) return wrong_usage(fmt::format("{} can't be made: {}.", folder.string(), error.message()));
  const auto& traits = traits_of(*runtime);
  const std::array<std::pair<std::string_view, std::string>, 4> files = {{
      {traits.entry_files.front(), std::string(kCode[std::to_underlying(*runtime)])},
      {kProjectFile, fmt::format(kProject, name, traits.name)},
      {kEventFile, "{\"name\": \"Ada\"}\n"},
      {kIgnoreFile, std::string(kIgnore)},
  }};
  for (const auto& [file, text] : files) {
    const auto made = make_file(folder / file, text);
    if (!made) return failed(made.error());
    session.output.print(fmt::format("{} {}", *made ? "made" : "left", (folder / file).string()));
  }
  session.output.note(
      fmt::format("next: infra deploy {0} && infra invoke {1} -d @{0}/{2}", folder.string(), name, kEventFile));
  return Exit::ok;
}

}  // namespace infra::cli
