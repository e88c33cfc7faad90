// The program's commands. Each one's wiring is a file of its own.
#include <fmt/format.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <new>
#include <string>

#include "main/banner.h"
#include "main/build_commit.h"
#include "main/install_paths.h"
#include "main/server_command.h"
#include "telemetry/log.h"

namespace {

int run(int argc, char** argv) {
  CLI::App app{"Infra runs functions: upload a ZIP, get an id, POST /run executes it.", "infra"};
  app.require_subcommand(1);
  const std::string version_line = fmt::format("infra {} ({})", INFRA_VERSION, infra::build_commit());
  app.set_version_flag("--version", version_line);
  app.footer("Configuration comes from the environment and .env; README.md lists the variables.");

  infra::ServerOptions options;
  auto* serve = app.add_subcommand("serve", "Run the platform; needs INFRA_API_KEY.");
  auto* dev = app.add_subcommand("dev", "Run it for yourself: on loopback, with a key it makes and a walk-through.");
  auto* worker = app.add_subcommand("worker", "Run functions for a fleet: take jobs from SQS, settle them.");
  for (auto* command : {serve, dev, worker}) {
    command->add_option("--address", options.address, "The address to listen on, in place of all (dev: loopback).");
    command->add_option("--user", options.user,
                        "Whom to become once the privileged part is set apart (started with sudo).");
  }
  std::uint16_t port = 8080;
  std::string key;
  auto* walk_through = app.add_subcommand("walk-through", "Print the lines to try a running platform with.");
  walk_through->add_option("--port", port, "Where it listens.");
  walk_through->add_option("--key", key, "Its API key.")->required();
  auto* version = app.add_subcommand("version", "Print the version, and the commit that it was built from.");
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  const auto is_named = [&](const CLI::App* command) { return command->check_name(argv[1]); };
  if (argc > 1 && argv[1][0] != '-' && std::ranges::none_of(commands, is_named)) {
    fmt::print(stderr, "infra: there is no command \"{}\"; `infra --help` lists them.\n", argv[1]);
    return 2;
  }
  CLI11_PARSE(app, argc, argv);

  if (version->parsed()) {
    fmt::print("{}\n", version_line);
    return 0;
  }
  if (walk_through->parsed()) {
    fmt::print("{}", infra::walk_through(port, key, infra::examples_folder().string()));
    return 0;
  }
  return infra::run_server(serve->parsed() ? infra::Command::serve
                           : dev->parsed() ? infra::Command::dev
                                           : infra::Command::worker,
                           options);
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
    return run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "infra: {}\n", error.what());
    return 1;
  }
}
