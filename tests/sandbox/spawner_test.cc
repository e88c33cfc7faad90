// The spawner over its life: refusals, crowds, and that nothing outlives it, however it ends.
#include "sandbox/test_sandbox.h"

namespace infra::sandbox {
namespace {

using SpawnerTest = SandboxTest;

TEST_F(SpawnerTest, RefusalsSayWhy) {
  const auto code = [](const Result<std::unique_ptr<Sandbox>>& result) {
    return result ? "launched" : result.error().code;
  };
  const auto bad = launcher_->launch({.runtime = Runtime::python, .version = "../../etc", .memory_mb = 128});
  EXPECT_EQ(code(bad), "invalid_version");
  const auto missing = launcher_->launch({.runtime = Runtime::python, .version = version('f'), .memory_mb = 128});
  ASSERT_EQ(code(missing), "sandbox_failed");
  EXPECT_NE(missing.error().message.find("version's code"), std::string::npos) << missing.error().message;
  EXPECT_EQ(code(launcher_->launch({.runtime = Runtime::python, .version = version('a'), .memory_mb = 1})),
            "sandbox_failed");
  EXPECT_EQ(code(launcher_->launch({.runtime = Runtime::go, .version = version('a'), .memory_mb = 128})),
            "sandbox_failed");
  std::vector<std::unique_ptr<Sandbox>> all;
  for (int i = 0; i < launcher_->capacity(); ++i) all.push_back(launch());
  EXPECT_EQ(code(launcher_->launch({.runtime = Runtime::python, .version = version('a'), .memory_mb = 128})),
            "no_free_slot");
  all.pop_back();
  EXPECT_TRUE(launch());
}

// Each descriptor that a sandbox brings may be the one too many.
TEST_F(SpawnerTest, WithoutFreeDescriptorsNothingIsLaunchedAndNothingIsLeft) {
  rlimit usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &usual), 0);
  for (const int left : {0, 1, 7, static_cast<int>(kMaxPassedFds) - 1}) {
    rlimit few = usual;
    const int lowest = ::dup(0);
    few.rlim_cur = static_cast<rlim_t>(lowest + left);
    ::close(lowest);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    const auto lacking = launcher_->launch({.runtime = Runtime::python, .version = version('a'), .memory_mb = 128});
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &usual), 0);
    ASSERT_FALSE(lacking) << left;
    EXPECT_EQ(lacking.error().code, "no_descriptors") << left;
    EXPECT_EQ(lacking.error().kind, ErrorKind::unavailable);
    EXPECT_TRUE(eventually([&] { return launcher_->counts()->running == 0; }));
  }
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "out = 1"), "1");
}

TEST_F(SpawnerTest, ASymbolicLinkIsNoVersion) {
  fs::create_directory_symlink(folder_.path(), folder_.path() / "versions" / version('c'));
  EXPECT_FALSE(launcher_->launch({.runtime = Runtime::python, .version = version('c'), .memory_mb = 128}));
}

TEST_F(SpawnerTest, ManyThreadsLaunchAtOnce) {
  launcher_.reset();
  start(12);
  std::atomic<int> done = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&, i] {
      auto sandbox = launch(i % 2 == 0 ? 'a' : 'b');
      if (sandbox && run(*sandbox, "out = open('lib/deep.py').read()") == (i % 2 == 0 ? "deep a" : "deep b")) ++done;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done, 12);
}

TEST_F(SpawnerTest, ClosingTheSocketEndsEverything) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  ASSERT_FALSE(slot_groups(folder_).empty());
  ASSERT_GE(sandbox_processes(folder_).size(), 2U);
  sandbox.reset();
  launcher_.reset();  // waits for the spawner
  EXPECT_TRUE(slot_groups(folder_).empty());
}

// As when the whole program is killed: nobody says goodbye to the spawner.
TEST_F(SpawnerTest, KillingTheProgramEndsEverything) {
  launcher_.reset();
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t program = ::fork();
  if (program == 0) {
    auto handle = start_spawner(folder_.options(4));
    if (!handle || !drop_privileges()) ::_exit(1);
    SandboxLauncher launcher(std::move(*handle));
    auto sandbox = launcher.launch({.runtime = Runtime::python, .version = version('a'), .memory_mb = 128});
    (void)!::write(ready[1], sandbox ? "y" : "n", 1);
    for (;;) ::pause();
  }
  ASSERT_EQ(read_exactly(ready[0], 1), "y");
  ASSERT_GE(sandbox_processes(folder_).size(), 2U);
  ::kill(program, SIGKILL);
  ::waitpid(program, nullptr, 0);
  EXPECT_TRUE(eventually([&] { return slot_groups(folder_).empty(); }));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(SpawnerTest, AKilledSpawnerTakesItsSandboxesAlongAndTheNextSweeps) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  ::kill(spawner_pid_, SIGKILL);
  EXPECT_EQ(sandbox->wait(patience(milliseconds(5000))).signal, SIGKILL);
  EXPECT_EQ(read_exactly(sandbox->handles().control, 1), "") << "the runner is dead";
  EXPECT_TRUE(eventually([&] { return sandbox_processes(folder_).empty(); }));
  EXPECT_FALSE(slot_groups(folder_).empty()) << "nobody was there to remove them";
  EXPECT_FALSE(launcher_->alive());
  EXPECT_FALSE(launcher_->launch({.runtime = Runtime::python, .version = version('a'), .memory_mb = 128}));
  sandbox.reset();
  launcher_.reset();
  start();
  EXPECT_TRUE(launch());
  launcher_.reset();
  EXPECT_TRUE(slot_groups(folder_).empty());
}

TEST_F(SpawnerTest, TheSameVersionsRootIsNotSharedByTwo) {
  const auto second = start_spawner(folder_.options(2));
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another infra"), std::string::npos) << second.error().message;
  EXPECT_TRUE(launch()) << "the first goes on";
}

TEST_F(SpawnerTest, DropPrivilegesLeavesNothing) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!drop_privileges(Identity{.uid = 12345, .gid = 12345})) ::_exit(1);
    const std::string status = Folder::read("/proc/self/status");
    const bool none = status.find("CapEff:\t0000000000000000") != std::string::npos &&
                      status.find("CapBnd:\t0000000000000000") != std::string::npos &&
                      status.find("NoNewPrivs:\t1") != std::string::npos;
    ::_exit(none && ::getuid() == 12345 && ::setuid(0) != 0 && !check_isolation() ? 0 : 2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(SpawnerTest, TwoHundredLaunchesLeakNothing) {
  {
    auto warm = launch();
  }
  const std::size_t before = open_descriptors();
  std::vector<double> latencies;
  for (int i = 0; i < 200; ++i) {
    // Half of them find a parked sandbox, as a launch mostly does; the others come too fast for that.
    const bool parked = i % 2 == 0;
    if (parked) ASSERT_TRUE(eventually([&] { return launcher_->counts()->prepared > 1; }));  // one is Node.js
    const auto started = steady_clock::now();
    auto sandbox = launcher_->launch({.runtime = Runtime::python, .version = version('a'), .memory_mb = 128});
    ASSERT_TRUE(sandbox) << sandbox.error().message;
    if (parked) latencies.push_back(std::chrono::duration<double, std::milli>(steady_clock::now() - started).count());
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(launcher_->counts()->running, 0);
  EXPECT_LE(slot_groups(folder_).size(), 4U * 24U);  // what is parked, and a few
  const std::string spawner_fds = "/proc/" + std::to_string(spawner_pid_) + "/fd";
  EXPECT_LT(std::distance(fs::directory_iterator(spawner_fds), {}), 24 * 6 + 10);
  std::ranges::sort(latencies);
  std::cout << "request to a runner that waits, ms: least " << latencies.front() << " median " << latencies[50]
            << " p99 " << latencies[98] << "\n";
  launcher_.reset();
  EXPECT_TRUE(slot_groups(folder_).empty());
}

TEST_F(SpawnerTest, TheProjectsOwnRunnersStart) {
  launcher_.reset();
  SpawnerOptions options = folder_.options(2);
  options.runners = INFRA_RUNTIMES;
  start_with(options);
  for (const Runtime runtime : {Runtime::python, Runtime::nodejs}) {
    auto sandbox = launcher_->launch({.runtime = runtime, .version = version('a'), .memory_mb = 128});
    ASSERT_TRUE(sandbox) << sandbox.error().message;
    EXPECT_EQ(read_exactly((*sandbox)->handles().control, 18).substr(4), R"({"ready":true})")
        << read_exactly((*sandbox)->handles().stderr_pipe, 2000);
  }
}

TEST(RunnerCommand, AVersionIsNothingButHexadecimal) {
  EXPECT_EQ(to_hex(parse_version(version('a')).value()), version('a'));
  EXPECT_FALSE(parse_version(version('A')));
  EXPECT_FALSE(parse_version("../" + version('a').substr(3)));
  EXPECT_FALSE(parse_version(version('a') + "a"));
}

TEST(CgroupSlots, CpuGoesWithMemory) {
  EXPECT_EQ(cpu_share(1769).quota_us, 100'000);
  EXPECT_EQ(cpu_share(3538).quota_us, 200'000);
  EXPECT_EQ(cpu_share(128).quota_us, 100'000);
  EXPECT_EQ(cpu_share(3538).shares_v1, 2048);
}

}  // namespace
}  // namespace infra::sandbox
