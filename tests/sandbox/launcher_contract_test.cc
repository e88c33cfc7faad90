// The launcher's contract on real sandboxes, with this tree's runners.
#include "contract/launcher_contract.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "adapters/system/system_clock.h"
#include "contract/launcher_sources.h"
#include "sandbox/test_sandbox.h"

namespace infra::testing {
namespace {

class SandboxWorld {
 public:
  static constexpr bool kBounded = true;
  static constexpr bool kFreezes = true;

  SandboxWorld() {
    auto options = folder_.options(3);
    options.runners = INFRA_RUNTIMES;
    auto spawner = sandbox::start_spawner(options);
    if (!spawner) throw std::runtime_error(spawner.error().message);
    launcher_ = std::make_unique<sandbox::SandboxLauncher>(std::move(*spawner));
  }
  sandbox::Launcher& launcher() { return *launcher_; }
  Clock& clock() { return clock_; }
  std::string add(Does does) { return add_version(folder_.path() / "versions", does, python_for(does)); }
  void run(const std::function<void()>& body) { body(); }

 private:
  sandbox::Folder folder_;
  SystemClock clock_;
  std::unique_ptr<sandbox::SandboxLauncher> launcher_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sandbox, LauncherContract, SandboxWorld);

}  // namespace
}  // namespace infra::testing
