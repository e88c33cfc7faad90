// Runners that are forked from the zygote: as confined as those that are executed, and there without it too.
#include <cmath>

#include "sandbox/test_zygote.h"

namespace infra::sandbox {
namespace {

TEST_F(ZygoteTest, AForkedRunnerHasNoPrivilegesAndNothingOfTheZygotes) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  ASSERT_TRUE(is_forked(*sandbox));
  const std::string status = run(*sandbox, "out = open('/proc/self/status').read()");
  for (const char* line : {"CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
                           "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "Uid:\t1000\t1000\t1000\t1000",
                           "Gid:\t1000\t1000\t1000\t1000", "Groups:\t \n", "PPid:\t1\n"}) {
    EXPECT_NE(status.find(line), std::string::npos) << line << " is not in\n" << status;
  }
  EXPECT_EQ(run(*sandbox, "out = sorted(os.listdir('/proc/self/fd'))"),
            "['0', '1', '2', '3', '60']");  // 3: the listing
  EXPECT_EQ(run(*sandbox, "out = [os.readlink(f'/proc/self/fd/{n}').split(':')[0] for n in (0, 1, 2, 60)]"),
            "['/dev/null', 'pipe', 'pipe', 'socket']");
  EXPECT_EQ(run(*sandbox, "out = open('/proc/self/environ').read()"), "");
  EXPECT_EQ(run(*sandbox, "out = os.getcwd(), os.getsid(0) == os.getpid(), os.getppid()"), "('/workspace', True, 1)");
  EXPECT_EQ(run(*sandbox, "out = open('main.py').read()"), "original");
  EXPECT_EQ(run(*sandbox, "out = open('/proc/self/oom_score_adj').read()"), "1000\n");
  for (const char* path : {"/proc/1/mem", "/proc/1/environ", "/proc/1/fd", "/proc/1/root/etc", "/proc/1/maps"}) {
    const std::string said =
        run(*sandbox, std::string("out = os.stat('") + path + "') and (os.listdir if os.path.isdir('" + path +
                          "') else open)('" + path + "')");
    EXPECT_NE(said.find("PermissionError"), std::string::npos) << path << ": " << said;
  }
}

// As when the program's log goes to a file: what the zygote's own streams were must not be what the runner takes its
// pipes for.
TEST_F(ZygoteTest, AForkedRunnerPrintsIntoItsPipesWhateverTheProgramsOutputIs) {
  launcher_.reset();
  const UniqueFd log(::open((folder_.path() / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const UniqueFd out(::dup(STDOUT_FILENO)), err(::dup(STDERR_FILENO));
  ::dup2(log.get(), STDOUT_FILENO);
  ::dup2(log.get(), STDERR_FILENO);
  start_with_zygote(6);
  ::dup2(out.get(), STDOUT_FILENO);
  ::dup2(err.get(), STDERR_FILENO);
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  ASSERT_TRUE(is_forked(*sandbox));
  EXPECT_EQ(run(*sandbox,
                "import sys\nfor stream in (sys.stdout, sys.stderr):\n  stream.reconfigure(encoding='utf-8', "
                "errors='backslashreplace')\n  print('h\u00e9llo', file=stream)\n"
                "out = [(s.seekable(), s.isatty(), s.name) for s in (sys.stdout, sys.stderr)]"),
            "[(False, False, '<stdout>'), (False, False, '<stderr>')]");
  EXPECT_EQ(read_exactly(sandbox->handles().stdout_pipe, 7), "h\u00e9llo\n");
  EXPECT_EQ(read_exactly(sandbox->handles().stderr_pipe, 7), "h\u00e9llo\n");
}

TEST_F(ZygoteTest, ForkedRunnersShareNoRandomness) {
  auto first = launch();
  auto second = launch();
  ASSERT_TRUE(first && second);
  ASSERT_TRUE(is_forked(*first) && is_forked(*second));
  constexpr const char* kDraw = "import random, uuid, ssl\nout = random.random(), uuid.uuid4(), ssl.RAND_bytes(8)";
  EXPECT_NE(run(*first, kDraw), run(*second, kDraw));
}

TEST_F(ZygoteTest, ThreadsSubprocessesAndSignalsWorkInAForkedRunner) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  ASSERT_TRUE(is_forked(*sandbox));
  EXPECT_EQ(run(*sandbox,
                "import threading\nfound = []\nthread = threading.Thread(target=lambda: found.append(6 * 7))\n"
                "thread.start(); thread.join(); out = found"),
            "[42]");
  EXPECT_EQ(run(*sandbox, "import subprocess\nout = subprocess.run(['echo', 'hello'], capture_output=True).stdout"),
            "b'hello\\n'");
  EXPECT_EQ(run(*sandbox,
                "import signal\ngot = []\nsignal.signal(signal.SIGALRM, lambda *_: got.append(1))\n"
                "signal.setitimer(signal.ITIMER_REAL, 0.01); signal.pause(); out = got"),
            "[1]");
  EXPECT_EQ(run(*sandbox, "import asyncio\nasync def f(): return 7\nout = asyncio.run(f())"), "7");
  EXPECT_EQ(run(*sandbox, "try: os.kill(os.getpid(), 2)\nexcept KeyboardInterrupt: out = 'interrupted'"),
            "interrupted");
}

// The spawner ignores what is meant for the program, and the zygote must survive it.
TEST_F(ZygoteTest, AForkedRunnerFindsSignalsAsAnyInterpreterDoes) {
  const pid_t zygote = zygote_pid();
  ASSERT_GT(zygote, 0);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) ASSERT_EQ(::kill(zygote, signal), 0);
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  ASSERT_TRUE(is_forked(*sandbox));
  constexpr const char* kLook =
      "import signal\n"
      "status = dict(line.split(':\\t') for line in open('/proc/self/status').read().splitlines() if ':\\t' in line)\n"
      "out = [s.name for s in signal.Signals if signal.getsignal(s) is signal.SIG_IGN], "
      "signal.pthread_sigmask(0, ()), status['SigIgn'], status['SigCgt']";
  const std::string forked = run(*sandbox, kLook);
  EXPECT_EQ(forked, "(['SIGPIPE', 'SIGXFSZ'], set(), '0000000001001000', '0000000000000002')");
  EXPECT_EQ(run(*sandbox,
                "import subprocess\nchild = subprocess.Popen(['sleep', '60']); child.terminate()\nout = child.wait()"),
            "-15");
  EXPECT_EQ(zygote_pid(), zygote);
}

TEST_F(ZygoteTest, AForkedRunnerFindsTheOperatorsPackagesAndNoOthers) {
  launcher_.reset();
  const fs::path packages = folder_.path() / "packages";
  fs::create_directories(packages / "more");
  Folder::write(packages / "given.py", "x = 1");
  Folder::write(packages / "more.pth",
                "more\nimport sys; sys.zygote_ran_it = 'sandbox' not in open('/etc/hostname').read()\n");
  Folder::write(packages / "more/added.py", "x = 2");
  SpawnerOptions options = folder_.options(6);
  options.zygote_library = INFRA_ZYGOTE;
  options.python_packages = packages;
  start_with(options);
  ASSERT_TRUE(eventually([&] { return is_forked(*launch()); }));
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox,
                "import sys, subprocess\n__import__('site').addsitedir('/usr/lib/python3/dist-packages')\n"
                "import given, added\nchild = 'import given, added; print(given.x, added.x)'\n"
                "out = given.x, added.x, sys.zygote_ran_it, [p for p in sys.path if 'packages' in p], "
                "subprocess.run([sys.executable, '-I', '-c', child], capture_output=True, text=True).stdout"),
            "(1, 2, False, ['/usr/lib/python3/dist-packages', '/usr/lib/python3/dist-packages/more'], '1 2\\n')");
}

// A runner's own fork skips some of what modules registered for forks.
TEST_F(ZygoteTest, AForkOfAFunctionRunsTheHooksOfAllModules) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  ASSERT_TRUE(is_forked(*sandbox));
  EXPECT_EQ(run(*sandbox,
                "import random, threading\nhold = threading.Event()\nthread = threading.Thread(target=hold.wait)\n"
                "thread.start(); state = random.getstate(); pid = os.fork()\n"
                "if pid == 0: os._exit((random.getstate() == state) + 2 * (len(threading.enumerate()) != 1))\n"
                "hold.set(); thread.join(); out = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])"),
            "0");
}

// What the zygote has readied for its forks (fork_thrift.h): each page that a runner writes to first is a fault.
TEST_F(ZygoteTest, WhatARunnerAllocatesLiesSideBySide) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  const int faults = std::stoi(run(*sandbox, "out = __import__('resource').getrusage(0).ru_minflt"));
  ASSERT_TRUE(is_forked(*sandbox));
  EXPECT_LT(faults, 440) << "366 with Debian's Python 3.11, and 513 if nothing is readied";
}

TEST_F(ZygoteTest, ALibrarysCodeAndItsConstantsAreOneMapping) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  ASSERT_TRUE(is_forked(*sandbox));
  // Beside that there is one that is constant since it was relocated, and one that can be written to.
  const std::string several =
      run(*sandbox,
          "from collections import Counter\nmaps = [line.split() for line in open('/proc/self/maps')]\n"
          "out = [what for what, times in Counter((line[5], line[1]) for line in maps if line[4] != '0').items() "
          "if times > 1 and what[0].startswith('/usr/') and what[1] in ('r-xp', 'r--p')]");
  EXPECT_EQ(several, "[]");
}

TEST_F(ZygoteTest, AKilledZygoteIsReplacedAndNobodyWaits) {
  const pid_t zygote = zygote_pid();
  ASSERT_GT(zygote, 0);
  ASSERT_EQ(::kill(zygote, SIGKILL), 0);
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(launch());  // whatever they come from
  EXPECT_TRUE(eventually([&] { return is_forked(*launch()) && zygote_pid() > 0; }));
  EXPECT_NE(zygote_pid(), zygote);
}

// Found out by a fork, not by the end of its socket; so is a death that a launch notices first.
TEST_F(ZygoteTest, AZygoteThatHangsIsReplaced) {
  const pid_t zygote = zygote_pid();
  ASSERT_GT(zygote, 0);
  ASSERT_EQ(::kill(zygote, SIGSTOP), 0);
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(launch());
  EXPECT_TRUE(eventually([&] { return is_forked(*launch()) && zygote_pid() > 0 && zygote_pid() != zygote; }));
}

// While it is made the old one goes on: no launch waits for it, or has to do without.
TEST_F(ZygoteTest, AfterItsTermAnotherTakesItsPlace) {
  launcher_.reset();
  start_with_zygote(6, {.forks = 25});
  const pid_t zygote = zygote_pid();
  ASSERT_GT(zygote, 0);
  const std::string traits =
      "out = hash('a'), [line.split('-')[0] for line in open('/proc/self/maps') if '[heap]' in line or 'libc.so' in "
      "line]";
  auto old = launch();
  ASSERT_TRUE(old);
  std::set<std::string> seen{run(*old, traits)};
  EXPECT_TRUE(eventually([&] {
    auto sandbox = launch();
    EXPECT_TRUE(sandbox && is_forked(*sandbox));
    seen.insert(run(*sandbox, traits));
    return seen.size() > 1;
  }));
  EXPECT_EQ(seen.size(), 2U) << "all forks of one are alike";
  EXPECT_TRUE(eventually([&] { return !fs::exists("/proc/" + std::to_string(zygote)); }));
  EXPECT_EQ(run(*old, "out = 'here'"), "here") << "what the old one has forked stays";
}

TEST_F(ZygoteTest, EverythingEndsWithTheSpawner) {
  const pid_t zygote = zygote_pid();
  ASSERT_GT(zygote, 0);
  auto sandbox = launch();
  ::kill(spawner_pid_, SIGKILL);
  EXPECT_EQ(sandbox->wait(patience(milliseconds(5000))).signal, SIGKILL);
  EXPECT_TRUE(eventually([&] { return sandbox_processes(folder_).empty() && ::kill(zygote, 0) != 0; }));
  sandbox.reset();
  start_with(folder_.options(6));  // the next one sweeps what the killed one could not
}

TEST_F(ZygoteTest, AFrozenSandboxStandsStillAndGoesOn) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  run(*sandbox,
      "import threading\nticks = 0\ndef tick():\n  global ticks\n  import time\n  while True:\n    ticks += 1\n    "
      "time.sleep(0.001)\nthreading.Thread(target=tick, daemon=True).start()");
  sandbox->freeze();
  const auto used = [&] { return sandbox->usage().cpu_us; };  // answered after the freeze
  std::int64_t before = 0;
  EXPECT_TRUE(eventually([&] {
    before = used();
    std::this_thread::sleep_for(milliseconds(50));  // in which it would have ticked
    return used() == before;
  }));
  sandbox->thaw();
  EXPECT_TRUE(eventually([&] { return used() > before; }));
  EXPECT_GT(std::stoi(run(*sandbox, "out = ticks")), 0);
  sandbox->freeze();
  sandbox->kill();
  EXPECT_EQ(sandbox->wait(milliseconds(5000)).signal, SIGKILL);
}

TEST_F(ZygoteTest, ExitsAndUsageAreToldAsOfAnyRunner) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  ASSERT_TRUE(is_forked(*sandbox));
  EXPECT_LT(sandbox->usage().cpu_us, std::chrono::microseconds(patience(milliseconds(50))).count())
      << "what was used before the launch is nobody's";
  run(*sandbox, "import time\nt = time.process_time()\nwhile time.process_time() < t + 0.1: pass");
  EXPECT_GE(sandbox->usage().cpu_us, 90'000);
  EXPECT_EQ(run(*sandbox, "os._exit(7)"), "(gone)");
  const auto exit = sandbox->wait(patience(milliseconds(5000)));
  EXPECT_TRUE(exit.exited);
  EXPECT_EQ(exit.exit_code, 7);
}

}  // namespace
}  // namespace infra::sandbox
