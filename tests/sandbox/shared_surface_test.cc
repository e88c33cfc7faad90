// What sandboxes have in common: the kernel, its modules, the files of /usr, the machine's memory. What one does to
// these is not to be felt, nor seen, in another.
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <thread>

#include "sandbox/test_sandbox.h"

namespace infra::sandbox {
namespace {

// `sort` gives the error's name, or what came of it.
constexpr const char* kTools = R"(
import ctypes, errno, fcntl, struct
libc = ctypes.CDLL(None, use_errno=True)
def attempt(action, *arguments):
    try: return action(*arguments)
    except OSError as error: return errno.errorcode[error.errno]
def call(*arguments):
    value = libc.syscall(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    return errno.errorcode[ctypes.get_errno()] if value < 0 else value
def kind(*arguments):
    made = attempt(socket.socket, *arguments)
    return made if isinstance(made, str) else made.close() or 'made'
)";

// All who run tests on this machine have these files: a lock is one to share, and one that is not is waited for.
constexpr const char* kHoldOne = "f = os.open('/usr/bin/env', os.O_RDONLY)\nout = fcntl.flock(f, fcntl.LOCK_SH)";

class SharedSurfaceTest : public SandboxTest {
 protected:
  std::unique_ptr<Sandbox> launch_with_tools(char digit = 'a', int memory_mb = 128) {
    auto sandbox = launch(digit, memory_mb);
    if (sandbox) EXPECT_EQ(run(*sandbox, kTools), "");
    return sandbox;
  }
  [[nodiscard]] int running() const {
    const auto counts = launcher_->counts();
    return counts ? counts->running : -1;
  }
};

TEST_F(SharedSurfaceTest, SocketsAreTcpUdpAndLocalOnes) {
  auto sandbox = launch_with_tools();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, R"(
s = socket
out = {kind(*k) for k in [(f, t | flags, p) for f in (s.AF_INET, s.AF_INET6) for flags in (0, s.SOCK_CLOEXEC | s.SOCK_NONBLOCK)
                          for t, p in ((s.SOCK_STREAM, 0), (s.SOCK_STREAM, 6), (s.SOCK_DGRAM, 0), (s.SOCK_DGRAM, 17))]
                         + [(s.AF_UNIX, t, 0) for t in (s.SOCK_STREAM, s.SOCK_DGRAM, s.SOCK_SEQPACKET)]}
)"),
            "{'made'}");
  EXPECT_EQ(run(*sandbox, "a, b = socket.socketpair()\na.send(b'x')\nout = b.recv(1)"), "b'x'");
  EXPECT_EQ(run(*sandbox,
                "s = socket.create_server(('::1', 0), family=socket.AF_INET6)\n"
                "c = socket.create_connection(s.getsockname()[:2])\nout = c.getpeername()[0]"),
            "::1");
}

// The kernel loads a module for each that it does not know yet.
TEST_F(SharedSurfaceTest, NoOtherKindOfSocketIsMade) {
  auto sandbox = launch_with_tools();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "out = {kind(f, t, 0) for f in range(3, 60) if f != 10 for t in range(1, 7)}"),
            "{'EAFNOSUPPORT'}");
  EXPECT_EQ(run(*sandbox, R"(
kinds = [(f, t, p) for f in (2, 10) for t in (1, 2, *range(4, 11)) for p in (*range(0, 300), 1 << 16)]
allowed = {(f, t, p) for f in (2, 10) for t, p in ((1, 0), (1, 6), (2, 0), (2, 17))}
out = {kind(*k) for k in kinds if k not in allowed}
)"),
            "{'EPROTONOSUPPORT'}");
  EXPECT_EQ(run(*sandbox, "out = {kind(f, 3, p) for f in (2, 10) for p in range(0, 256)}"), "{'EPERM'}");
  EXPECT_EQ(
      run(*sandbox, "out = {call(53, f, t, 0, (ctypes.c_int * 2)()) for f in (2, 10, 16, 30) for t in (1, 2, 5)}"),
      "{'EAFNOSUPPORT'}");
  // What runtimes do without it: no links, and addresses of both families are looked for.
  EXPECT_EQ(
      run(*sandbox, "out = kind(16, 3, 0), attempt(socket.if_nameindex), socket.getaddrinfo('localhost', 80) != []"),
      "('EAFNOSUPPORT', 'EAFNOSUPPORT', True)");
}

TEST_F(SharedSurfaceTest, SocketsTakeNoProgramsCiphersOrLayers) {
  auto sandbox = launch_with_tools();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, R"(
tcp = socket.socket()
options = [(1, o) for o in (26, 50, 51, 52)] + [(6, o) for o in (14, 31, 32, 38, 39, 40, 42)] + [(l, 1) for l in (255, 282, 284)]
out = {attempt(tcp.setsockopt, *o, bytes(64)) for o in options}
)"),
            "{'ENOPROTOOPT'}");
  EXPECT_EQ(run(*sandbox, R"(
tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
six = socket.socket(socket.AF_INET6)
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
out = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), six.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
)"),
            "(1, 1)");
}

TEST_F(SharedSurfaceTest, NoFilterNoCoreOfItsOwnNoMergedMemoryAndInitRunsWhereItCan) {
  auto sandbox = launch_with_tools();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, "out = [call(157, o, 2, 0, 0, 0) for o in (22, 62)]"), "['EPERM', 'EPERM']");
  EXPECT_EQ(run(*sandbox, "import mmap\npage = mmap.mmap(-1, 4096)\nout = attempt(page.madvise, 12)"), "EINVAL");
  EXPECT_EQ(run(*sandbox, "page.madvise(mmap.MADV_DONTNEED)\nout = 'done'"), "done");
  EXPECT_EQ(run(*sandbox, "cpus = os.sched_getaffinity(0)\nout = attempt(os.sched_setaffinity, 1, cpus)"), "EPERM");
  EXPECT_EQ(run(*sandbox, "out = call(203, (1 << 32) + 1, 8, (ctypes.c_long * 1)(1))"), "EPERM");
  EXPECT_EQ(run(*sandbox, "os.sched_setaffinity(0, cpus)\nos.sched_setaffinity(os.getpid(), cpus)\nout = 'done'"),
            "done");
}

// A file of /usr that is read through, and how many of its pages are in memory then.
class CachedFile {
 public:
  explicit CachedFile(const char* path) : text_(Folder::read(path)), file_(::open(path, O_RDONLY | O_CLOEXEC)) {
    mapped_ = ::mmap(nullptr, text_.size(), PROT_READ, MAP_SHARED, file_.get(), 0);
  }
  ~CachedFile() { ::munmap(mapped_, text_.size()); }
  CachedFile(const CachedFile&) = delete;
  CachedFile& operator=(const CachedFile&) = delete;
  [[nodiscard]] std::size_t pages() const { return (text_.size() + 4095) / 4096; }
  [[nodiscard]] std::size_t in_memory() const {
    std::vector<unsigned char> there(pages());
    EXPECT_EQ(::mincore(mapped_, text_.size(), there.data()), 0);
    return static_cast<std::size_t>(std::ranges::count_if(there, [](unsigned char page) { return (page & 1) != 0; }));
  }

 private:
  std::string text_;
  UniqueFd file_;
  void* mapped_;
};

TEST_F(SharedSurfaceTest, WhichPartsOfSharedFilesAreInMemoryIsNeitherToldNorChanged) {
  constexpr const char* kPath = "/usr/share/common-licenses/GPL-3";
  if (!fs::exists(kPath)) GTEST_SKIP() << "no file to read";
  auto sandbox = launch_with_tools();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox,
                "f = os.open('/usr/share/common-licenses/GPL-3', os.O_RDONLY)\n"
                "out = {attempt(os.preadv, f, [bytearray(9)], 0, flags) for flags in (8, 0x80, 9)}"),
            "{'ENOTSUP'}");
  EXPECT_EQ(run(*sandbox, "out = os.preadv(f, [bytearray(9)], 0, 0)"), "9");
  EXPECT_EQ(run(*sandbox, "out = call(451, f, 0, 0, 0)"), "ENOSYS");  // cachestat
  const CachedFile file(kPath);
  ASSERT_EQ(file.in_memory(), file.pages());
  EXPECT_EQ(run(*sandbox, "os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)\nos.sync()\nos.fsync(f)\nout = 'done'"),
            "done");
  EXPECT_EQ(file.in_memory(), file.pages());
}

TEST_F(SharedSurfaceTest, ThePressureFilesAndTheListOfLocksAreNotThere) {
  auto sandbox = launch_with_tools();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox,
                "out = [attempt(os.listdir, '/proc/pressure') in ([], 'ENOENT'),"
                " attempt(os.open, '/proc/pressure/memory', os.O_RDWR), open('/proc/locks').read()]"),
            "[True, 'ENOENT', '']");
}

TEST_F(SharedSurfaceTest, DevicesAreItsOwnAndWork) {
  const UniqueFd machines(::open("/dev/null", O_RDWR | O_CLOEXEC));
  struct stat null{};
  ::fstat(machines.get(), &null);
  auto first = launch_with_tools('a');
  auto second = launch_with_tools('b');
  ASSERT_TRUE(first && second);
  constexpr const char* kLockAll = R"(
devices = [os.open('/dev/' + name, os.O_RDWR) for name in ('null', 'zero', 'full', 'random', 'urandom')]
out = {attempt(lock, d, fcntl.LOCK_EX | fcntl.LOCK_NB) for d in devices for lock in (fcntl.flock, fcntl.lockf)}
)";
  EXPECT_EQ(run(*first, kLockAll), "{None}");
  EXPECT_EQ(run(*second, kLockAll), "{None}") << "as if nobody had them";
  EXPECT_EQ(::flock(machines.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(run(*first, R"(
import stat
out = [os.read(devices[1], 2), len(os.read(devices[4], 3)), os.write(devices[0], b'abc'), attempt(os.write, devices[2], b'x'),
       [os.major(os.fstat(d).st_rdev) * 16 + os.minor(os.fstat(d).st_rdev) for d in devices],
       {oct(os.fstat(d).st_mode) for d in devices}, sorted(os.listdir('/dev'))]
)"),
            "[b'\\x00\\x00', 3, 3, 'ENOSPC', [19, 21, 23, 24, 25], {'0o20666'}, "
            "['fd', 'full', 'null', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'urandom', 'zero']]");
}

// As in a container that was not given CAP_MKNOD. A right is a thread's.
TEST_F(SharedSurfaceTest, WithoutTheRightToMakeNodesTheMachinesDevicesAreThere) {
  launcher_.reset();
  std::thread([&] {
    ASSERT_EQ(::prctl(PR_CAPBSET_DROP, CAP_MKNOD, 0, 0, 0), 0);
    start();
    auto sandbox = launch_with_tools();
    ASSERT_TRUE(sandbox);
    EXPECT_EQ(run(*sandbox,
                  "out = open('/dev/zero', 'rb').read(2), open('/dev/null', 'wb').write(b'abc'), "
                  "sorted(os.listdir('/dev'))"),
              "(b'\\x00\\x00', 3, ['fd', 'full', 'null', 'random', 'shm', 'stderr', 'stdin', 'stdout', "
              "'urandom', 'zero'])");
    sandbox.reset();
    launcher_.reset();
  }).join();
}

TEST_F(SharedSurfaceTest, TheyAreKilledFirst) {
  auto sandbox = launch_with_tools();
  ASSERT_TRUE(sandbox);
  constexpr const char* kScore = "open('/proc/self/oom_score_adj').read().strip()";
  EXPECT_EQ(run(*sandbox, std::string("out = ") + kScore), "1000");
  EXPECT_EQ(run(*sandbox, std::string("import subprocess\nout = subprocess.check_output(['cat', "
                                      "'/proc/self/oom_score_adj']).decode().strip()")),
            "1000");
  EXPECT_EQ(Folder::read("/proc/" + std::to_string(spawner_pid_) + "/oom_score_adj"),
            Folder::read("/proc/self/oom_score_adj"));
  const auto held = ::prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0);
  if (held != 1) return;  // then nothing but what it began with holds it
  EXPECT_EQ(
      run(*sandbox,
          "out = {attempt(open('/proc/self/oom_score_adj', 'w', 1).write, n) for n in ('999\\n', '0\\n', '-1\\n')}"),
      "{'EACCES'}");
}

// Only where v1 counts it; v2 counts it with the rest.
TEST_F(SharedSurfaceTest, WhatWaitsInSocketsIsBoundedBesideTheMemory) {
  const auto limits = [&] {
    std::set<std::string> found;
    for (const auto& group : slot_groups(folder_)) {
      const std::string text = read_cgroup(group + "/memory.kmem.tcp.limit_in_bytes");
      if (!text.empty()) found.insert(text);
    }
    return found;
  };
  auto small = launch('a', 128);
  auto large = launch('b', 512);
  ASSERT_TRUE(small && large);
  if (limits().empty()) GTEST_SKIP() << "no such counter here";
  EXPECT_TRUE(limits().contains("16777216\n"));
  EXPECT_TRUE(limits().contains("67108864\n"));
}

TEST_F(SharedSurfaceTest, OneThatIsFrozenWithALockOnASharedFileEnds) {
  launcher_.reset();
  start(10);
  auto own = launch_with_tools('a');
  ASSERT_TRUE(own);
  EXPECT_EQ(run(*own, R"(
files = [os.open(f + '/lock', os.O_RDWR | os.O_CREAT) for f in ('/tmp', '/workspace', '/output', '/dev/shm')]
files += [os.memfd_create('x'), os.open('/dev/null', os.O_RDWR), os.open('/workspace/main.py', os.O_RDWR), os.pipe()[1]]
for f in files: fcntl.flock(f, fcntl.LOCK_EX)
for f in files[:-1]: fcntl.lockf(f, fcntl.LOCK_EX)
out = len(files)
)"),
            "8");
  // By a descriptor, by a child that has ended, and by a mapping alone; for writing, and for reading.
  const std::vector<std::string> ways{R"(
f = os.open('/usr/bin/id', os.O_RDONLY)
fcntl.flock(f, fcntl.LOCK_EX)
)",
                                      R"(
f = os.open('/etc', os.O_RDONLY)
child = os.fork()
if child == 0: fcntl.flock(f, fcntl.LOCK_SH); os._exit(0)
os.waitpid(child, 0)
)",
                                      R"(
f = os.open('/usr/bin/env', os.O_RDONLY)
libc.mmap(None, 4096, 1, 2, f, 0)
fcntl.flock(f, fcntl.LOCK_SH)
os.close(f)
)",
                                      R"(
f = os.open('/runtime/runner.py', os.O_RDONLY)
fcntl.lockf(f, fcntl.LOCK_SH)
)",
                                      R"(
f = os.open('/usr/bin/env', os.O_RDONLY)
fcntl.fcntl(f, 37, struct.pack('hhqqi4x', 0, 0, 0, 9, 0))
)",
                                      R"(
f = os.open('/proc/self/ns/time', os.O_RDONLY)
fcntl.flock(f, fcntl.LOCK_EX)
)"};
  own->freeze();
  std::vector<std::unique_ptr<Sandbox>> holders;
  for (const auto& way : ways) {
    holders.push_back(launch_with_tools('b'));
    ASSERT_TRUE(holders.back());
    ASSERT_EQ(run(*holders.back(), "out = ''" + way), "") << way;
  }
  const auto all = static_cast<int>(ways.size());
  ASSERT_EQ(running(), all + 1);
  for (const auto& holder : holders) holder->freeze();
  EXPECT_TRUE(eventually([&] { return running() == 1; })) << running() - 1 << " are left";
  auto other = launch_with_tools('a');
  ASSERT_TRUE(other);
  EXPECT_EQ(run(*other, "f = os.open('/usr/bin/env', os.O_RDONLY)\nout = fcntl.flock(f, fcntl.LOCK_EX)"), "None");
  own->thaw();
  EXPECT_EQ(run(*own, "out = len(files)"), "8") << "its locks are nobody else's affair";
}

// The kernel lists a processor's newest first.
TEST_F(SharedSurfaceTest, OneThatIsFrozenIsFoundBehindAllTheLocksOfOthers) {
  auto holder = launch_with_tools('a');
  ASSERT_TRUE(holder);
  ASSERT_EQ(run(*holder, kHoldOne), "None");
  std::vector<UniqueFd> files;
  std::thread([&] {
    cpu_set_t all{};
    ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &all)) continue;
      cpu_set_t one{};
      CPU_SET(cpu, &one);
      ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
      for (int file = 0; file < 40; ++file) {
        const std::string path = (folder_.path() / ("locks-" + std::to_string(files.size()))).string();
        files.emplace_back(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        for (int i = 500; i > 0; --i) {
          struct flock lock{.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2L * i, .l_len = 1, .l_pid = 0};
          ASSERT_EQ(::fcntl(files.back().get(), F_SETLK, &lock), 0);
        }
      }
    }
  }).join();
  holder->freeze();
  EXPECT_TRUE(eventually([&] { return running() == 0; }));
}

// A lock is two hundred bytes that the kernel counts for nobody.
TEST_F(SharedSurfaceTest, OneThatTakesLocksWithoutNumberEnds) {
  if (!fs::exists("/sys/kernel/slab/file_lock_cache")) GTEST_SKIP() << "this kernel does not tell how many there are";
  constexpr const char* kTake = R"(
def take(command, number):
    for i in range(number):
        if i % 500 == 0: f = os.open(f'/tmp/{command}-{i}', os.O_RDWR | os.O_CREAT)
        fcntl.fcntl(f, command, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 2 * (i % 500), 1, 0))
    return number
out = take(fcntl.F_SETLK, 5000)
)";
  auto modest = launch_with_tools('a');
  ASSERT_TRUE(modest);
  EXPECT_EQ(run(*modest, kTake), "5000");
  for (const char* command : {"fcntl.F_SETLK", "37"}) {
    auto hoarder = launch_with_tools('b');
    ASSERT_TRUE(hoarder);
    ASSERT_EQ(run(*hoarder, kTake), "5000");
    send_code(*hoarder, std::string("import time\ntake(") + command + ", 60000)\ntime.sleep(1000)");
    const auto has_ended = [&] { return running() == 1; };
    EXPECT_TRUE(eventually(has_ended) || eventually(has_ended)) << command;
  }
  EXPECT_EQ(run(*modest, "out = 'here'"), "here");
}

// A call has come meanwhile: it goes on.
TEST_F(SharedSurfaceTest, OneThatIsCalledAgainBeforeItIsLookedAtGoesOn) {
  auto holder = launch_with_tools('a');
  ASSERT_TRUE(holder);
  EXPECT_EQ(run(*holder, kHoldOne), "None");
  holder->freeze();
  holder->thaw();
  auto barrier = launch_with_tools('b');
  EXPECT_EQ(run(*barrier, kHoldOne), "None");
  barrier->freeze();
  EXPECT_TRUE(eventually([&] { return running() == 1; }));
  EXPECT_EQ(run(*holder, "out = 'here'"), "here");
}

}  // namespace
}  // namespace infra::sandbox
