// Runners that nobody calls share what they can of their memory, and lose nothing by it.
#include "sandbox/test_zygote.h"

namespace infra::sandbox {
namespace {

constexpr long kFew =
    60;  // page faults: a call that finds its memory as it was has a handful, one with a rest some hundred

// Of the lines in `maps`: where the image is mapped as it is, and how long that is.
constexpr const char* kView = R"(
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for name in ('mprotect', 'munmap', 'mmap'): getattr(libc, name).argtypes = [ctypes.c_size_t] * 2 + [ctypes.c_long] * 4
libc.mmap.restype = ctypes.c_void_p
view, end = next((int(part, 16) for part in line[0].split('-')) for line in maps if line[1] == 'r--s')
)";

class MemoryImageTest : public ZygoteTest {
 protected:
  // A runner, and its process id outside.
  struct Runner {
    std::unique_ptr<Sandbox> sandbox;
    pid_t pid = -1;
    [[nodiscard]] std::string look(const char* file) const {
      return Folder::read("/proc/" + std::to_string(pid) + "/" + file);
    }
    // It has been told that there is time, and waits with its memory given back.
    [[nodiscard]] bool rests() const {
      send_code(*sandbox, "");
      return eventually([&] {
        std::istringstream call(look("syscall"));
        std::string number, control, count, timeout;
        call >> number >> control >> count >> timeout;
        return number == std::to_string(SYS_ppoll) && timeout == "0x0";
      });
    }
    [[nodiscard]] long faults() const {
      const std::string stat = look("stat");
      std::istringstream fields(stat.substr(stat.rfind(')')));
      std::string skipped;
      for (int i = 0; i < 8; ++i) fields >> skipped;
      long faults = 0;
      fields >> faults;
      return faults;
    }
    // And of the rest that follows.
    [[nodiscard]] long faults_of_a_call() const {
      const long before = faults();
      EXPECT_EQ(run(*sandbox, "out = 1"), "1");
      EXPECT_TRUE(rests());
      return faults() - before;
    }
  };
  Runner start_runner(const std::string& name) {
    Runner runner{.sandbox = launch()};
    if (!runner.sandbox || !is_forked(*runner.sandbox)) return runner;
    run(*runner.sandbox, "open('/proc/self/comm', 'w').write('" + name + "')");
    for (const pid_t pid : sandbox_processes(folder_)) {
      if (Folder::read("/proc/" + std::to_string(pid) + "/comm") == name + "\n") runner.pid = pid;
    }
    EXPECT_GT(runner.pid, 0);
    return runner;
  }
};

TEST_F(MemoryImageTest, ARunnerThatRestsGivesPagesBackEachTime) {
  const Runner runner = start_runner("plain");
  ASSERT_GT(runner.pid, 0);
  ASSERT_TRUE(runner.rests());
  for (int i = 0; i < 5; ++i) EXPECT_GT(runner.faults_of_a_call(), kFew);
}

// It waits in the interpreter then, which is what hears that there is time.
TEST_F(MemoryImageTest, ARunnerThatASignalHasWokenRestsAsWell) {
  const Runner runner = start_runner("signalled");
  ASSERT_GT(runner.pid, 0);
  EXPECT_EQ(run(*runner.sandbox,
                "import signal\nsignal.signal(signal.SIGALRM, lambda *_: None)\n"
                "signal.setitimer(signal.ITIMER_REAL, 0.02)"),
            "");
  ASSERT_TRUE(eventually([&] { return runner.look("syscall").starts_with(std::to_string(SYS_recvfrom) + " "); }));
  EXPECT_TRUE(runner.rests());
  EXPECT_EQ(run(*runner.sandbox, "out = 1"), "1");
}

// All that a function keeps: in its memory, in the interpreter's, in files, and in what it has patched.
constexpr const char* kStateful = R"(
import asyncio, builtins, hashlib, io, itertools, json, random, tempfile, array, decimal, re, collections
random.seed(7)
big = {str(n): random.random() for n in range(20000)}
raw = bytearray(random.randbytes(3 << 20))
zeros = bytearray(2 << 20)
numbers = array.array('d', (random.random() for _ in range(50000)))
small = [object() for _ in range(5000)]
names = [sys_name for sys_name in dir(builtins)]
def counter():
    n = 0
    while True:
        n += 1
        yield n
def adder():
    total = [0]
    def add(n):
        total[0] += n
        return total[0]
    return add
ticks, add = counter(), adder()
file = tempfile.TemporaryFile()
loop = asyncio.new_event_loop()
patched = []
dumps, osread = json.dumps, os.read
json.dumps = lambda value, **more: patched.append(len(patched)) or dumps(value, **more)
os.read = lambda fd, size: osread(fd, size)
builtins.print = lambda *_: None
async def later(n):
    await asyncio.sleep(0)
    return n * 2
step = 0
def cycle():
    global step
    step += 1
    random.seed(step)
    for _ in range(200):
        big[str(random.randrange(20000))] = random.random()
    raw[step * 4096 + 17] ^= 0x5a
    file.write(b'%d' % step)
    return (step, next(ticks), add(step), loop.run_until_complete(later(step)), json.dumps({'a': step}), len(patched))
def digest():
    file.flush()
    size = file.tell()
    file.seek(0)
    text = file.read()
    file.seek(size)
    total = hashlib.sha256(raw)
    total.update(zeros)
    total.update(numbers.tobytes())
    total.update(repr(sorted(big.items())).encode())
    total.update(repr((text, len(small), names, patched)).encode())
    return total.hexdigest()
out = digest()
)";

TEST_F(MemoryImageTest, NothingIsLostOverManyRests) {
  const Runner resting = start_runner("resting");
  auto other = launch();
  ASSERT_GT(resting.pid, 0);
  ASSERT_TRUE(other);
  EXPECT_EQ(run(*resting.sandbox, kStateful), run(*other, kStateful));
  std::string last;
  for (int i = 1; i <= 50; ++i) {
    ASSERT_TRUE(resting.rests()) << i;
    const std::string found = run(*resting.sandbox, "out = cycle(), digest()");
    ASSERT_EQ(found.find("Error"), std::string::npos) << found;
    ASSERT_NE(found, last);
    last = found;
  }
  // The other has done the same without a pause.
  std::string unrested;
  for (int i = 1; i <= 50; ++i) unrested = run(*other, "out = cycle(), digest()");
  EXPECT_EQ(unrested, last);
}

TEST_F(MemoryImageTest, OneWithAnotherThreadKeepsItsPages) {
  const Runner runner = start_runner("threaded");
  ASSERT_GT(runner.pid, 0);
  run(*runner.sandbox,
      "import threading\nticks, stop = [0], threading.Event()\ndef tick():\n  while not stop.wait(0.001):\n    "
      "ticks[0] += 1\nthread = threading.Thread(target=tick)\nthread.start()");
  const auto ticks = [&] { return std::stoi(run(*runner.sandbox, "out = ticks[0]")); };
  const int before = ticks();
  EXPECT_TRUE(eventually([&] { return ticks() > before + 20; })) << "it runs while the runner waits";
  ASSERT_TRUE(runner.rests());
  EXPECT_LT(runner.faults_of_a_call(), kFew);
  EXPECT_EQ(run(*runner.sandbox, "stop.set(); thread.join(); out = thread.is_alive()"), "False");
  ASSERT_TRUE(runner.rests());
  EXPECT_GT(runner.faults_of_a_call(), kFew) << "it is alone again";
}

// What it would take for the image could be anything.
TEST_F(MemoryImageTest, OneThatMappedSomethingOverTheViewKeepsItsPages) {
  const Runner runner = start_runner("mapper");
  ASSERT_GT(runner.pid, 0);
  ASSERT_TRUE(runner.rests());
  EXPECT_GT(runner.faults_of_a_call(), kFew);
  const std::string found = "maps = [line.split() for line in open('/proc/self/maps') if 'memfd:infra' in line]\n";
  EXPECT_EQ(run(*runner.sandbox, found + kView + "out = libc.mmap(view, end - view, 3, 0x32, -1, 0) == view"), "True");
  ASSERT_TRUE(runner.rests());
  EXPECT_LT(runner.faults_of_a_call(), kFew);
}

// Signals wait while pages are given back, and then end the waiting.
TEST_F(MemoryImageTest, SignalsReachARunnerThatRests) {
  const Runner runner = start_runner("signalled");
  ASSERT_GT(runner.pid, 0);
  run(*runner.sandbox, "import signal\ngot = []\nsignal.signal(signal.SIGUSR1, lambda *_: got.append(1))");
  ASSERT_TRUE(runner.rests());
  ASSERT_EQ(::kill(runner.pid, SIGUSR1), 0);
  EXPECT_TRUE(eventually([&] { return run(*runner.sandbox, "out = got") == "[1]"; }));
  run(*runner.sandbox,
      "signal.signal(signal.SIGALRM, lambda *_: got.append(2))\nsignal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)");
  EXPECT_TRUE(eventually([&] { return std::stoi(run(*runner.sandbox, "out = len(got)")) > 300; }));
}

TEST_F(MemoryImageTest, NobodyCanWriteToWhatAllShare) {
  const Runner runner = start_runner("writer");
  ASSERT_GT(runner.pid, 0);
  const std::string image = "maps = [line.split() for line in open('/proc/self/maps') if 'memfd:infra' in line]\n";
  EXPECT_GT(std::stoi(run(*runner.sandbox, image + "out = len(maps)")), 5);
  EXPECT_EQ(run(*runner.sandbox, image + "out = sorted({line[1] for line in maps})"), "['r--s', 'rw-p']")
      << "private, all that can be written to";
  EXPECT_EQ(run(*runner.sandbox, image + kView + "out = libc.mprotect(view, 4096, 3, 0, 0, 0), ctypes.get_errno()"),
            "(-1, 13)");
  const std::string opened =
      run(*runner.sandbox, image +
                               "begin, end = (int(part, 16) for part in maps[0][0].split('-'))\n"
                               "out = os.open(f'/proc/self/map_files/{begin:x}-{end:x}', os.O_RDWR)");
  EXPECT_NE(opened.find("PermissionError"), std::string::npos) << opened;
  EXPECT_EQ(run(*runner.sandbox, "out = sorted(os.listdir('/proc/self/fd'))"), "['0', '1', '2', '3', '60']")
      << "3: the listing";
}

}  // namespace
}  // namespace infra::sandbox
