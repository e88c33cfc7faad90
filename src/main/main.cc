// The program's front door: `cli` knows the commands, and what starts the platform is wired here, each in a file of its
// own.
#include <fmt/format.h>
#include <malloc.h>

#include <exception>
#include <new>
#include <string>

#include "cli/cli.h"
#include "core/text.h"
#include "main/banner.h"
#include "main/build_commit.h"
#include "main/install_paths.h"
#include "main/server_command.h"
#include "main/setup_command.h"
#include "telemetry/log.h"

namespace {

constexpr int kWrongUsage = 2;

int print_walk_through(const infra::cli::Arguments& arguments) {
  constexpr std::int64_t kDefaultPort = 8080;
  constexpr std::int64_t kLastPort = 65'535;
  const auto text = arguments.value("--port");
  const auto port = text ? infra::parse_whole(*text) : kDefaultPort;
  const auto key = arguments.value("--key");
  if (!key || !port || *port < 1 || *port > kLastPort) {
    fmt::print(stderr, "infra: walk-through needs a --key, and --port a number from 1 to {}.\n", kLastPort);
    return kWrongUsage;
  }
  fmt::print("{}", infra::walk_through({.port = static_cast<std::uint16_t>(*port),
                                        .key = *key,
                                        .program = infra::program_command(),
                                        .examples = infra::examples_folder().string()}));
  return 0;
}

int start_platform(const infra::cli::Arguments& arguments) {
  const std::string_view name = arguments.command().name;
  if (name == "walk-through") return print_walk_through(arguments);
  if (name == "setup") {
    if (arguments.word(0) == "aws")
      return infra::run_setup({.check = arguments.has("--check"), .json = arguments.has("--json")});
    fmt::print(stderr, "infra: there is no setup for \"{}\"; it is `infra setup aws`.\n", arguments.word(0));
    return kWrongUsage;
  }
  const infra::ServerOptions options{.user = arguments.value("--user").value_or(""),
                                     .address = arguments.value("--address").value_or("")};
  const auto command = name == "serve" ? infra::Command::serve
                       : name == "dev" ? infra::Command::dev
                                       : infra::Command::worker;
  return infra::run_server(command, options);
}

// Out of a destructor, or of a thread that is nobody's task.
[[noreturn]] void end_for_exception() {
  std::string what = "unknown";
  try {
    if (const auto exception = std::current_exception()) std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {  // it stays unknown
  }
  infra::log::fatal("ended by an exception that nothing was to throw", {{"what", what}});
}

}  // namespace

int main(int argc, char** argv) {
  // Large buffers (bodies, parts of a bundle) go back to the system when they are freed. Left alone, glibc takes the
  // largest that was freed for the measure, and every thread's arena then keeps some.
  mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
  std::set_new_handler([] { infra::log::fatal("memory has run out"); });
  std::set_terminate(end_for_exception);
  try {
    return infra::cli::run(argc, argv,
                           {.version = fmt::format("infra {} ({})", INFRA_VERSION, infra::build_commit()),
                            .start_platform = start_platform});
  } catch (const std::exception& error) {
    fmt::print(stderr, "infra: {}\n", error.what());
    return 1;
  }
}
