// Tests of runners that are forked: a spawner with the zygote's library.
#pragma once

#include "sandbox/test_sandbox.h"

namespace infra::sandbox {

class ZygoteTest : public SandboxTest {
 protected:
  void SetUp() override {
    if (std::string_view(INFRA_ZYGOTE).empty()) GTEST_SKIP() << "a build with sanitizers has no library for it";
    if (auto possible = check_isolation(); !possible) GTEST_SKIP() << possible.error().message;
    start_with_zygote(6);
  }
  void start_with_zygote(int slots, const ZygoteTerm& term = {}) {
    fs::copy_file(fs::path(INFRA_RUNTIMES) / "python/zygote.py", folder_.path() / "runners/python/zygote.py",
                  fs::copy_options::skip_existing);
    SpawnerOptions options = folder_.options(slots);
    options.zygote_library = INFRA_ZYGOTE;
    options.zygote_term = term;
    start_with(options);
    ASSERT_TRUE(eventually([&] { return is_forked(*launch()); })) << "the zygote is never ready";
  }
  // A forked runner's command line is the zygote's.
  static bool is_forked(Sandbox& sandbox) {
    return run(sandbox, "out = open('/proc/self/cmdline').read()").find("zygote.py") != std::string::npos;
  }
  [[nodiscard]] pid_t zygote_pid() const {
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string command = Folder::read(entry.path() / "cmdline");
      if (command.find((folder_.path() / "runners/python/zygote.py").string()) != std::string::npos &&
          Folder::read(entry.path() / "stat").find(" " + std::to_string(spawner_pid_) + " ") != std::string::npos &&
          fs::read_symlink(entry.path() / "ns/pid") == fs::read_symlink("/proc/self/ns/pid"))
        return std::stoi(entry.path().filename());
    }
    return -1;
  }
};

}  // namespace infra::sandbox
