// Proves from inside a sandbox, by a runner that executes what the test sends, that it keeps its promises.
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sandbox/test_sandbox.h"

namespace infra::sandbox {
namespace {

TEST_F(SandboxTest, RunnerIsAnUnprivilegedChildOfInit) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  EXPECT_NE(run(*sandbox, "out = os.getpid()"), "1");
  EXPECT_EQ(run(*sandbox, "out = os.getppid()"), "1");
  const std::string status = run(*sandbox, "out = open('/proc/self/status').read()");
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    EXPECT_NE(status.find(std::string(set) + ":\t0000000000000000\n"), std::string::npos) << status;
  }
  EXPECT_NE(status.find("NoNewPrivs:\t1\n"), std::string::npos);
  EXPECT_NE(status.find("Seccomp:\t2\n"), std::string::npos);
  EXPECT_EQ(run(*sandbox, "out = os.getresuid() + os.getresgid()"), "(1000, 1000, 1000, 1000, 1000, 1000)");
  EXPECT_EQ(run(*sandbox, "out = os.getgroups()"), "[]");
  EXPECT_EQ(run(*sandbox, "out = sorted(int(f) for f in os.listdir('/proc/self/fd'))[:4]"), "[0, 1, 2, 3]");
  EXPECT_EQ(run(*sandbox, "out = len(os.listdir('/proc/self/fd'))"), "5") << "0 to 3, and the listing itself";
  EXPECT_EQ(run(*sandbox, "out = set(os.environ) - {'LC_CTYPE'}"), "set()");
  EXPECT_EQ(run(*sandbox, "out = os.uname().nodename"), "sandbox");
  EXPECT_EQ(run(*sandbox, "out = os.getsid(0) == os.getpid()"), "True");
  EXPECT_EQ(run(*sandbox, "out = os.getcwd()"), "/workspace");
}

// As many instructions as the kernel says; -1 if it says nothing.
long filter_length(pid_t pid) {
  constexpr int kGetFilter = 0x420c;  // PTRACE_SECCOMP_GET_FILTER; bits/ has no name for it
  if (::syscall(SYS_ptrace, PTRACE_SEIZE, pid, 0, 0) != 0 || ::syscall(SYS_ptrace, PTRACE_INTERRUPT, pid, 0, 0) != 0)
    return -1;
  ::waitpid(pid, nullptr, __WALL);
  const long length = ::syscall(SYS_ptrace, kGetFilter, pid, 0, 0);
  ::syscall(SYS_ptrace, PTRACE_DETACH, pid, 0, 0);
  return length;
}

TEST_F(SandboxTest, InitMayDoFarLessThanTheRunner) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  std::vector<long> lengths;
  for (const pid_t pid : sandbox_processes(folder_)) {
    const std::string status = Folder::read("/proc/" + std::to_string(pid) + "/status");
    if (status.find("Seccomp:\t2\n") != std::string::npos) lengths.push_back(filter_length(pid));  // not what is parked
  }
  std::ranges::sort(lengths);
  ASSERT_GE(lengths.size(), 2U);
  if (lengths.front() < 0) GTEST_SKIP() << "filters can't be seen: CAP_SYS_ADMIN, CAP_SYS_PTRACE, CHECKPOINT_RESTORE";
  EXPECT_GT(lengths.front(), 10);
  EXPECT_LT(lengths.front(), 100);
  EXPECT_GT(lengths.back(), 300);
  EXPECT_EQ(run(*sandbox, "out = 6 * 7"), "42");
}

TEST_F(SandboxTest, NoNamespaceIsTheHosts) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  for (const char* kind : {"mnt", "pid", "net", "ipc", "uts", "user", "cgroup"}) {
    const std::string path = std::string("/proc/self/ns/") + kind;
    const std::string inside = run(*sandbox, "out = os.readlink('" + path + "')");
    EXPECT_NE(inside, fs::read_symlink(path).string());
    EXPECT_TRUE(inside.starts_with(kind)) << inside;
  }
}

TEST_F(SandboxTest, TheControlGroupsItSeesAreItsOwn) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  const std::string groups = run(*sandbox, "out = open('/proc/self/cgroup').read()");
  EXPECT_NE(groups.find(":/\n"), std::string::npos) << groups;
  EXPECT_EQ(run(*sandbox, "out = {line.split(':', 2)[2] for p in ('self', '1') for line in open(f'/proc/{p}/cgroup')}"),
            "{'/\\n'}");
}

TEST_F(SandboxTest, EverySlotHasAUidOfItsOwn) {
  auto first = launch();
  auto second = launch();
  ASSERT_TRUE(first && second);
  std::map<std::string, std::set<uid_t>> uids;  // by slot; what is parked has a runner of its own, and root's init
  for (const auto& group : slot_groups(folder_)) {
    for (const pid_t pid : cgroup_processes(group)) {
      std::ifstream status("/proc/" + std::to_string(pid) + "/status");
      for (std::string word; status >> word;) {
        uid_t uid = 0;
        if (word == "Uid:" && status >> uid && uid != 0) uids[fs::path(group).filename()].insert(uid);
      }
    }
  }
  std::set<uid_t> all;
  for (const auto& [slot, of_slot] : uids) {
    EXPECT_EQ(of_slot.size(), 1U) << slot;
    all.insert(of_slot.begin(), of_slot.end());
  }
  EXPECT_GE(all.size(), 2U);
  EXPECT_EQ(all.size(), uids.size());
  EXPECT_TRUE(std::ranges::all_of(all, [](uid_t uid) { return uid >= 1'000'000 && uid < 1'000'100; }));
}

TEST_F(SandboxTest, HostFilesAreOutOfReach) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(
      run(*sandbox, "out = sorted(n for n in os.listdir('/') if not n.startswith('lib') and n not in ('bin', 'sbin'))"),
      "['dev', 'etc', 'output', 'proc', 'runtime', 'tmp', 'usr', 'workspace']");
  for (const std::string path : {"/root", "/etc/shadow", "/home", "/sys", "/var", "/run", folder_.path().c_str()}) {
    EXPECT_EQ(run(*sandbox, "out = os.path.exists('" + path + "')"), "False") << path;
  }
  EXPECT_EQ(run(*sandbox, "out = os.listdir('/usr/local')"), "[]");
  EXPECT_EQ(run(*sandbox, "out = open('/proc/cmdline').read() + open('/proc/kallsyms').read()"), "");
  for (const char* path :
       {"/x", "/usr/x", "/etc/x", "/runtime/x", "/dev/x", "/proc/sys/kernel/hostname", "/etc/passwd"}) {
    const std::string answer = run(*sandbox, std::string("open('") + path + "', 'w')");
    EXPECT_TRUE(answer.starts_with("OSError: [Errno 30]") || answer.starts_with("PermissionError"))
        << path << " " << answer;
  }
  // Init shares the runner's uid, but neither its memory nor its descriptors.
  for (const char* path : {"/proc/1/mem", "/proc/1/environ", "/proc/1/fd/3"}) {
    EXPECT_TRUE(run(*sandbox, std::string("open('") + path + "')").starts_with("PermissionError")) << path;
  }
  EXPECT_EQ(run(*sandbox, "try: os.kill(1, 9)\nexcept PermissionError: pass\nout = 'alive'"), "alive");
}

TEST_F(SandboxTest, WorkspaceIsAnOverlayThatEachLaunchFindsClean) {
  const fs::path code = folder_.path() / "versions" / version('a');
  for (int round = 0; round < 2; ++round) {
    auto sandbox = launch();
    ASSERT_TRUE(sandbox);
    EXPECT_EQ(run(*sandbox, "out = sorted(os.listdir('.'))"), "['lib', 'main.py']");
    EXPECT_EQ(run(*sandbox, "out = open('main.py').read() + open('lib/deep.py').read()"), "originaldeep a");
    EXPECT_EQ(
        run(*sandbox,
            "open('main.py', 'w').write('changed'); open('lib/new', 'w').write('n'); out = open('main.py').read()"),
        "changed");
    EXPECT_EQ(run(*sandbox, "os.unlink('lib/deep.py'); out = os.listdir('lib')"), "['new']");
    EXPECT_EQ(
        run(*sandbox, "open('/tmp/t', 'w').write('t'); open('/output/o', 'w').write('o'); out = os.listdir('/tmp')"),
        "['t']");
    EXPECT_EQ(Folder::read(code / "main.py"), "original");
    EXPECT_EQ(Folder::read(code / "lib/deep.py"), "deep a");
    EXPECT_FALSE(fs::exists(code / "lib/new"));
  }
}

TEST_F(SandboxTest, ScratchSpaceIsBounded) {
  auto sandbox = launch('a', 512);
  ASSERT_TRUE(sandbox);
  for (const char* folder : {"/workspace", "/output", "/tmp"}) {
    const std::string answer = run(*sandbox, std::string("with open('") + folder +
                                                 "/big', 'wb') as f:\n for i in range(65): f.write(bytes(1 << 20))");
    EXPECT_TRUE(answer.starts_with("OSError: [Errno 28]")) << answer;
  }
}

TEST_F(SandboxTest, HasNoNetworkButItsAiListener) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "out = [l.split(':')[0].strip() for l in open('/proc/net/dev') if ':' in l]"), "['lo']");
  EXPECT_TRUE(run(*sandbox, "socket.create_connection(('192.0.2.1', 80), 2)").starts_with("OSError: [Errno 101]"));
  const auto port = std::to_string(sandbox->handles().ai_port);
  send_code(*sandbox, "c = socket.create_connection(('127.0.0.1', " + port + "), 5); out = c.recv(5).decode()");
  pollfd listener{sandbox->handles().ai_listener, POLLIN, 0};
  ASSERT_EQ(::poll(&listener, 1, static_cast<int>(patience(milliseconds(5000)).count())), 1);
  const UniqueFd connection(::accept4(sandbox->handles().ai_listener, nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_EQ(::send(connection.get(), "hello", 5, MSG_NOSIGNAL), 5);
  EXPECT_EQ(read_exactly(sandbox->handles().control, 9).substr(4), "hello");
}

TEST_F(SandboxTest, DangerousCallsAreRefused) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  ASSERT_EQ(
      run(*sandbox,
          "import ctypes, platform; libc = ctypes.CDLL(None, use_errno=True)\n"
          "def call(*a):\n r = libc.syscall(*a); return ctypes.get_errno() if r < 0 else 0\nout = platform.machine()"),
      "x86_64");
  constexpr int kEperm = 1;
  // ptrace, mount, umount2, unshare(NEWUSER), setns, bpf, keyctl, io_uring_setup, perf_event_open, userfaultfd,
  // process_vm_readv, open_by_handle_at, init_module, reboot, clone(NEWUSER | SIGCHLD), personality(ADDR_NO_RANDOMIZE);
  // init's setpriority, sched_setscheduler, prlimit64
  for (const char* call : {"101, 0, 1, 0, 0", "165, 0, 0, 0, 0, 0", "166, 0, 0", "272, 0x10000000", "308, 3, 0",
                           "321, 0, 0, 0", "250, 0, 0", "425, 1, 0", "298, 0, 0, 0, 0, 0", "323, 0",
                           "310, 1, 0, 0, 0, 0, 0", "304, 0, 0, 0", "175, 0, 0, 0", "169, 0, 0, 0, 0"}) {
    EXPECT_EQ(run(*sandbox, std::string("out = call(") + call + ")"), std::to_string(kEperm)) << call;
  }
  // mknod and mknodat of devices, a whiteout among them, whatever else the mode says
  for (const char* call :
       {"133, b'/tmp/node', 0o20666, 0x101", "133, b'/tmp/node', 0o60666, 0x800", "133, b'/workspace/node', 0o20000, 0",
        "259, -100, b'/tmp/node', 0o60666, 0x800", "259, -100, b'/tmp/node', ctypes.c_long(0x100000000021b6), 0"}) {
    EXPECT_EQ(run(*sandbox, std::string("out = call(") + call + ")"), std::to_string(kEperm)) << call;
  }
  for (const char* call :
       {"56, 0x10000011, 0, 0, 0, 0", "135, 0x40000", "435, 0, 0", "16, 0, 0x5412, 0", "16, 0, 0x100005412, 0",
        "141, 0, 1, 19", "144, 1, 5, 0", "302, 1, 7, 0, 0", "133, b'/tmp/node', 0o120666, 0"}) {
    EXPECT_EQ(run(*sandbox, std::string("out = call(") + call + ")"), "38") << call;  // ENOSYS
  }
  EXPECT_TRUE(run(*sandbox, "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)").starts_with("OSError"))
      << "netlink";
  EXPECT_TRUE(run(*sandbox, "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)").starts_with("PermissionError"));
}

TEST_F(SandboxTest, OrdinaryProgramsRun) {
  auto sandbox = launch('a', 256);
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox,
                "import subprocess; out = subprocess.run(['/bin/sh', '-c', 'echo $((6*7)) | cat'], "
                "capture_output=True).stdout"),
            "b'42\\n'");
  EXPECT_EQ(run(*sandbox,
                "import threading; l = []; t = [threading.Thread(target=l.append, args=(i,)) for i in range(20)]\n"
                "for x in t: x.start()\nfor x in t: x.join()\nout = len(l)"),
            "20");
  EXPECT_EQ(run(*sandbox, "import multiprocessing as m; out = m.Pool(2).map(abs, [-1, -2])"), "[1, 2]");
  EXPECT_EQ(
      run(*sandbox,
          "import ssl, sqlite3, tempfile, asyncio; tempfile.mkstemp(); asyncio.run(asyncio.sleep(0)); out = 'ok'"),
      "ok");
  EXPECT_EQ(run(*sandbox, "open('/dev/null','w').write('x'); out = len(open('/dev/urandom','rb').read(8))"), "8");
  EXPECT_EQ(run(*sandbox, "print('printed', flush=True); out = 1"), "1");
  EXPECT_EQ(read_exactly(sandbox->handles().stdout_pipe, 8), "printed\n");
  EXPECT_EQ(run(*sandbox, "open('/dev/stdout', 'w').write('again'); out = 2"), "2");
  EXPECT_EQ(read_exactly(sandbox->handles().stdout_pipe, 5), "again");
}

TEST_F(SandboxTest, NamedPipesCarryWhatIsWritten) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  for (const char* folder : {"/tmp", "/workspace", "/dev/shm"}) {
    EXPECT_EQ(
        run(*sandbox, std::string("import subprocess, stat; path = '") + folder +
                          "/pipe'; os.mkfifo(path)\n"
                          "writer = subprocess.Popen(['/bin/sh', '-c', 'echo through > ' + path])\n"
                          "out = open(path).read().strip(); writer.wait(); os.mknod(path + '2')\n"
                          "subprocess.run(['mkfifo', path + '3'], check=True); mode = os.stat(path + '3').st_mode\n"
                          "out += str(os.path.isfile(path + '2')) + str(stat.S_ISFIFO(mode))"),
        "throughTrueTrue")
        << folder;
  }
}

TEST_F(SandboxTest, NodeRunsWithThreads) {
  auto sandbox = launcher_->launch({.runtime = Runtime::nodejs, .version = version('b'), .memory_mb = 128});
  ASSERT_TRUE(sandbox) << sandbox.error().message;
  EXPECT_EQ(read_exactly((*sandbox)->handles().control, 35), "R42 1000 lib,main.py GLIBC_TUNABLES")
      << read_exactly((*sandbox)->handles().stderr_pipe, 2000);
}

TEST_F(SandboxTest, TheMemoryLimitKills) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "b = bytearray(400 << 20)"), "(gone)");
  const SandboxExit exit = sandbox->wait(patience(milliseconds(5000)));
  EXPECT_TRUE(exit.out_of_memory);
  EXPECT_FALSE(exit.exited);
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_GT(sandbox->usage().peak_memory_bytes, 100 << 20);
  EXPECT_LE(sandbox->usage().peak_memory_bytes, 129 << 20);
}

TEST_F(SandboxTest, ExitsAreTold) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "os._exit(7)"), "(gone)");
  const SandboxExit exit = sandbox->wait(patience(milliseconds(5000)));
  EXPECT_TRUE(exit.exited);
  EXPECT_EQ(exit.exit_code, 7);
  EXPECT_FALSE(exit.out_of_memory);
  auto crashed = launch();
  ASSERT_TRUE(crashed);
  EXPECT_EQ(run(*crashed, "os.abort()"), "(gone)");
  EXPECT_EQ(crashed->wait(patience(milliseconds(5000))).signal, SIGABRT);
}

TEST_F(SandboxTest, UsageGrowsAndThePeakResets) {
  auto sandbox = launch('a', 256);
  ASSERT_TRUE(sandbox);
  const SandboxUsage before = sandbox->usage();
  EXPECT_GT(before.cpu_us, 0);
  run(*sandbox,
      "b = bytearray(100 << 20); del b; import time\nt = time.process_time()\nwhile time.process_time() < t + 0.1: "
      "pass");
  const SandboxUsage after = sandbox->usage();
  EXPECT_GE(after.cpu_us, before.cpu_us + 90'000);
  EXPECT_GT(after.peak_memory_bytes, 100 << 20);
  sandbox->reset_peak();
  EXPECT_EQ(sandbox->usage().peak_memory_bytes < 100 << 20, peak_resets(folder_));
}

TEST_F(SandboxTest, AForkBombStaysInside) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  const std::string answer = run(*sandbox,
                                 "n = 0\ntry:\n while n < 1000:\n  if os.fork() == 0:\n   import time\n   while True: "
                                 "time.sleep(60)\n  n += 1\nexcept OSError: pass\nout = n");
  EXPECT_GT(std::stoi(answer), 20);
  EXPECT_LT(std::stoi(answer), kMaxProcesses);
  auto other = launch('b');
  ASSERT_TRUE(other);
  EXPECT_EQ(run(*other, "out = 1"), "1");
  sandbox->kill();
  sandbox->wait(patience(milliseconds(5000)));
  EXPECT_EQ(run(*other, "out = 2"), "2");
}

TEST_F(SandboxTest, KillTakesGrandchildrenInSessionsOfTheirOwn) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  ASSERT_EQ(run(*sandbox,
                "import subprocess\nfor i in range(3): subprocess.Popen(['/bin/sh', '-c', 'setsid sleep 1000 & sleep "
                "1000'])\nout = 1"),
            "1");
  sandbox->kill();
  sandbox->kill();
  EXPECT_EQ(sandbox->wait(patience(milliseconds(5000))).signal, SIGKILL);
  EXPECT_EQ(read_exactly(sandbox->handles().control, 1), "");
  EXPECT_EQ(read_exactly(sandbox->handles().stdout_pipe, 1), "") << "nobody holds the pipe";
  EXPECT_EQ(launcher_->counts()->running, 0);
}

}  // namespace
}  // namespace infra::sandbox
