// The launcher's contract on simulated sandboxes and on plain processes; tests/sandbox has it on real sandboxes.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "adapters/system/system_clock.h"
#include "contract/launcher_contract.h"
#include "contract/launcher_sources.h"
#include "platform/memory_launcher.h"
#include "platform/virtual_world.h"
#include "sandbox/client/plain_launcher.h"
#include "support/temp_folder.h"

namespace infra::testing {
namespace {

using End = sim::FunctionPlan::End;

class MemoryWorld {
 public:
  static constexpr bool kBounded = true;
  static constexpr bool kFreezes = true;

  MemoryWorld() {
    functions_.add("echoes", [](const sim::FunctionCall& call) { return sim::FunctionPlan{.text = call.input}; });
    functions_.add("prints",
                   [](const sim::FunctionCall&) { return sim::FunctionPlan{.prints = "out\n", .complains = "err\n"}; });
    functions_.add("exits", [](const sim::FunctionCall&) { return sim::FunctionPlan{.end = End::exit, .code = 3}; });
    functions_.add("kills_self",
                   [](const sim::FunctionCall&) { return sim::FunctionPlan{.end = End::killed, .code = SIGKILL}; });
    functions_.add("hangs", [](const sim::FunctionCall&) { return sim::FunctionPlan{.end = End::hang}; });
    functions_.add("writes", [](const sim::FunctionCall&) {
      return sim::FunctionPlan{.files = {{"b.txt", "1"}, {"a.txt", "22"}}};
    });
  }
  sandbox::Launcher& launcher() { return launcher_; }
  Clock& clock() { return world_.clock(); }
  std::string add(Does does) { return add_version(folder_.path(), does, sim::MemoryFunctions::source(word_for(does))); }
  void run(const std::function<void()>& body) {
    world_.run([](sim::VirtualWorld& world, const std::function<void()>& work) -> Task<void> {
      co_await world.executor().offload(work);
    }(world_, body));
    EXPECT_EQ(launcher_.running(), 0);
    world_.pass(std::chrono::minutes(1));
    EXPECT_TRUE(world_.outside().tasks.empty()) << "no runner is left";
  }

 private:
  TempFolder folder_;
  sim::MemoryFunctions functions_;
  sim::VirtualWorld world_{1};
  sim::MemoryLauncher launcher_{world_.scheduler(),
                                world_.clock(),
                                world_.executor(),
                                functions_,
                                {.versions = folder_.path(), .capacity = 3, .takes = [this] {
                                   return milliseconds(world_.dice().between(1, 40));
                                 }}};
};

class PlainWorld {
 public:
  static constexpr bool kBounded = false;
  static constexpr bool kFreezes = false;

  sandbox::Launcher& launcher() { return launcher_; }
  Clock& clock() { return clock_; }
  std::string add(Does does) { return add_version(folder_.path() / "versions", does, python_for(does)); }
  void run(const std::function<void()>& body) { body(); }

 private:
  TempFolder folder_;
  SystemClock clock_;
  sandbox::PlainLauncher launcher_{{.versions = folder_.path() / "versions",
                                    .runners = {.runtimes = INFRA_RUNTIMES, .native = folder_.path()},
                                    .temporary = folder_.path() / "instances"}};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, LauncherContract, MemoryWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Plain, LauncherContract, PlainWorld);

}  // namespace
}  // namespace infra::testing
