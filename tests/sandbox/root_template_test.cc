// A sandbox's mounts: what it shares with the others can't be written by any, and what can be written is its own.
#include "sandbox/spawner/root_template.h"

#include <iterator>

#include "sandbox/test_sandbox.h"

namespace infra::sandbox {
namespace {

class RootTemplatesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (auto possible = check_isolation(); !possible) GTEST_SKIP() << possible.error().message;
  }
  // The number of the mount namespace; the kernel gives it to no other while that is held.
  ino_t get(const fs::path& runner, const std::string& resolv_conf = "") {
    const auto mounts = templates_.get(runner, resolv_conf);
    EXPECT_TRUE(mounts) << mounts.error().message;
    struct stat info{};
    return mounts && ::fstat(*mounts, &info) == 0 ? info.st_ino : 0;
  }

  Folder folder_;
  const fs::path python_ = folder_.path() / "runners/python";
  RootTemplates templates_;
};

TEST_F(RootTemplatesTest, OneForEachRunnerAndResolver) {
  const ino_t python = get(python_);
  EXPECT_EQ(get(python_), python);
  const std::set<ino_t> all{python, get(folder_.path() / "runners/nodejs"), get(python_, "nameserver 192.0.2.1\n")};
  EXPECT_EQ(all.size(), 3U);
  EXPECT_EQ(get(python_), python);
}

TEST_F(RootTemplatesTest, IsMadeAnewWhenTheRunnerIsReplaced) {
  const ino_t before = get(python_);
  fs::rename(python_, folder_.path() / "old");  // kept, so that its inode can't be the new one's
  fs::create_directory(python_);
  EXPECT_NE(get(python_), before);
}

TEST_F(RootTemplatesTest, SaysWhatIsMissing) {
  const auto mounts = templates_.get(folder_.path() / "nothing", "");
  ASSERT_FALSE(mounts);
  EXPECT_NE(mounts.error().message.find("/nothing: No such file"), std::string::npos) << mounts.error().message;
}

TEST_F(SandboxTest, OnlyItsOwnMountsCanBeWritten) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  const std::string table = run(*sandbox, "out = open('/proc/self/mountinfo').read()");
  std::set<std::string> writable;
  std::size_t roots = 0;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_EQ(line.find(" shared:"), std::string::npos) << line;
    EXPECT_EQ(line.find(" master:"), std::string::npos) << line;
    EXPECT_NE(line.find("nosuid"), std::string::npos) << line;
    std::istringstream fields(line);
    std::string number, parent, device, root, place, options;
    fields >> number >> parent >> device >> root >> place >> options;
    if (place == "/") {
      ++roots;
      EXPECT_NE(line.rfind(" ro,"), line.find(" ro,")) << "the file system too, not only its mount: " << line;
    }
    if (!options.starts_with("ro,") && !place.starts_with("/dev/")) writable.insert(place);
  }
  EXPECT_EQ(roots, 1U) << table;
  EXPECT_EQ(writable, (std::set<std::string>{"/output", "/proc", "/tmp", "/workspace"})) << table;
  EXPECT_EQ(run(*sandbox, "out = sorted(n for n in os.listdir('/dev'))"),
            "['fd', 'full', 'null', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'urandom', 'zero']");
  EXPECT_EQ(run(*sandbox, "out = [os.path.exists('/workspace/' + n) for n in ('versions', 'lower', 'upper', 'work')]"),
            "[False, False, False, False]");
}

TEST_F(SandboxTest, WhatTheMachineHasInstalledDoesNotShowThrough) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox,
                "import glob, sys\nout = [p for folder in ('/usr/lib', '/usr/local/lib') for p in glob.glob(folder + "
                "'/python3*/*-packages/*')], [m for m in sys.modules if 'packages' in (getattr(sys.modules[m], "
                "'__file__', '') or '')]"),
            "([], [])");
}

TEST_F(SandboxTest, TheOperatorsPackagesAreThereToReadAndToLoad) {
  launcher_.reset();
  const fs::path packages = folder_.path() / "packages";
  fs::create_directory(packages);
  Folder::write(packages / "given.py", "x = 1");
  for (const auto& entry : fs::directory_iterator("/usr/lib/python3.11/lib-dynload")) {
    if (entry.path().filename().string().starts_with("_lsprof."))
      fs::copy_file(entry.path(), packages / entry.path().filename());
  }
  SpawnerOptions options = folder_.options(6);
  options.python_packages = packages;
  start_with(options);
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox,
                "import given, importlib.util, glob\n"
                "library = glob.glob('/usr/lib/python3/dist-packages/_lsprof.*')[0]\n"
                "spec = importlib.util.spec_from_file_location('_lsprof', library)\n"
                "out = given.__file__, importlib.util.module_from_spec(spec).__file__ == library"),
            "('/usr/lib/python3/dist-packages/given.py', True)");
  EXPECT_EQ(run(*sandbox, "open('/usr/lib/python3/dist-packages/new', 'w')"),
            "OSError: [Errno 30] Read-only file system: '/usr/lib/python3/dist-packages/new'");
  fs::rename(packages, folder_.path() / "old");
  fs::create_directory(packages);
  Folder::write(packages / "given.py", "x = 2");
  EXPECT_TRUE(eventually([&] { return run(*launch(), "import given\nout = given.x") == "2"; }));
}

// Each costs more than its size: the kernel counts what every memory group holds of every file system.
TEST_F(SandboxTest, FiveFileSystemsAreItsOwn) {
  auto first = launch();
  auto second = launch();
  ASSERT_TRUE(first && second);
  const std::string code = "out = ' '.join(sorted({line.split()[2] for line in open('/proc/self/mountinfo')}))";
  const auto devices = [&](Sandbox& sandbox) {
    std::istringstream words(run(sandbox, code));
    return std::set<std::string>(std::istream_iterator<std::string>(words), {});
  };
  std::set<std::string> own = devices(*first);
  for (const auto& device : devices(*second)) own.erase(device);
  EXPECT_EQ(own.size(), 5U) << "/dev, /output, /proc, /workspace, and one for /tmp and /dev/shm";
}

TEST_F(SandboxTest, WhatOneWritesNoOtherSees) {
  auto first = launch();
  auto second = launch();
  ASSERT_TRUE(first && second);
  const std::string everywhere =
      "out = sorted(n for f in ('/tmp', '/output', '/dev/shm', '/workspace') for n in os.listdir(f))";
  EXPECT_EQ(run(*first, "for f in ('/tmp', '/output', '/dev/shm', '/workspace'): open(f + '/mine', 'w').close()\n" +
                            everywhere),
            "['lib', 'main.py', 'mine', 'mine', 'mine', 'mine']");
  EXPECT_EQ(run(*second, everywhere), "['lib', 'main.py']");
  auto third = launch();  // made since
  ASSERT_TRUE(third);
  EXPECT_EQ(run(*third, everywhere), "['lib', 'main.py']");
}

}  // namespace
}  // namespace infra::sandbox
