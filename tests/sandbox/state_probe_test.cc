// What the worker sees of a sandbox from outside: what runs, listens and lies about in it, as it comes and goes.
#include <fmt/format.h>

#include "sandbox/test_sandbox.h"

namespace infra::sandbox {
namespace {

class StateProbeTest : public SandboxTest {
 protected:
  void SetUp() override {
    SandboxTest::SetUp();
    if (!launcher_) return;
    sandbox_ = launch();
    ASSERT_TRUE(sandbox_);
  }
  // Threads and processes are counted until the kernel is done with them.
  void expect_soon(int SandboxState::* what, int value) {
    EXPECT_TRUE(eventually([&] { return sandbox_->look().*what == value; })) << sandbox_->look().*what;
  }
  std::unique_ptr<Sandbox> sandbox_;
};

TEST_F(StateProbeTest, AtRestThereIsTheRunnerAndTheAiListener) {
  if (!sandbox_) return;
  const SandboxState rest = sandbox_->look();
  EXPECT_EQ(rest.processes, 0);
  EXPECT_EQ(rest.threads, 1);
  EXPECT_EQ(rest.sockets, 1);
  EXPECT_LT(rest.disk_percent, 5);
}

TEST_F(StateProbeTest, ProcessesAndTheirThreads) {
  if (!sandbox_) return;
  EXPECT_EQ(run(*sandbox_, "import signal\nchild = os.fork()\nif child == 0: signal.pause()"), "");
  expect_soon(&SandboxState::processes, 1);
  EXPECT_EQ(run(*sandbox_, "os.kill(child, 9); out = os.waitpid(child, 0)[0] == child"), "True");
  expect_soon(&SandboxState::processes, 0);
}

TEST_F(StateProbeTest, ThreadsOfTheRunner) {
  if (!sandbox_) return;
  EXPECT_EQ(run(*sandbox_,
                "import threading\nend = threading.Event()\nts = [threading.Thread(target=end.wait) for _ in "
                "range(3)]\nfor t in ts: t.start()"),
            "");
  EXPECT_EQ(sandbox_->look().threads, 4);
  EXPECT_EQ(sandbox_->look().processes, 0);
  EXPECT_EQ(run(*sandbox_, "end.set()\nfor t in ts: t.join()"), "");
  expect_soon(&SandboxState::threads, 1);
}

TEST_F(StateProbeTest, SocketsOfBothFamilies) {
  if (!sandbox_) return;
  EXPECT_EQ(run(*sandbox_, "a = socket.create_server(('127.0.0.1', 0)); b = socket.create_connection(a.getsockname())"),
            "");
  EXPECT_EQ(sandbox_->look().sockets, 4) << "the AI listener, the server, and both ends of its connection";
  EXPECT_EQ(run(*sandbox_, "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0))"), "");
  EXPECT_EQ(sandbox_->look().sockets, 5);
  EXPECT_EQ(run(*sandbox_, "c = socket.create_server(('::1', 0), family=socket.AF_INET6)"), "");
  EXPECT_EQ(sandbox_->look().sockets, 6);
  EXPECT_EQ(run(*sandbox_, "pair = socket.socketpair()"), "");  // of no network
  EXPECT_EQ(run(*sandbox_, "for s in (a, b, c, u): s.close()"), "");
  expect_soon(&SandboxState::sockets, 1);
}

TEST_F(StateProbeTest, HowFullItsFoldersAre) {
  if (!sandbox_) return;
  for (const char* folder : {"/tmp", "/workspace", "/dev/shm"}) {
    constexpr int kMib = 48;
    EXPECT_EQ(
        run(*sandbox_,
            fmt::format("with open('{}/big', 'wb') as f:\n for _ in range({}): f.write(bytes(1 << 20))", folder, kMib)),
        "");
    EXPECT_EQ(sandbox_->look().disk_percent, 75) << folder;
    EXPECT_EQ(run(*sandbox_, fmt::format("os.unlink('{}/big')", folder)), "");
    EXPECT_LT(sandbox_->look().disk_percent, 5);
  }
  EXPECT_EQ(run(*sandbox_, "for n in range(12000): os.close(os.open(f'/tmp/{n}', os.O_CREAT))"), "");
  EXPECT_GE(sandbox_->look().disk_percent, 70) << "files are scarce, too";
}

TEST_F(StateProbeTest, BytesThatLieInItsFolders) {
  if (!sandbox_) return;
  const SandboxState rest = sandbox_->look();
  for (const char* folder : {"/tmp", "/workspace", "/dev/shm"})
    EXPECT_EQ(run(*sandbox_, fmt::format("out = open('{}/some', 'wb').write(bytes(1 << 20))", folder)), "1048576");
  EXPECT_EQ(run(*sandbox_, "out = open('/output/file', 'wb').write(bytes(2 << 20))"), "2097152");
  const SandboxState now = sandbox_->look();
  EXPECT_EQ(now.scratch_bytes - rest.scratch_bytes, 3 << 20);
  EXPECT_EQ(now.output_bytes - rest.output_bytes, 2 << 20);
}

TEST_F(StateProbeTest, GoesOnAfterARest) {
  if (!sandbox_) return;
  sandbox_->freeze();
  sandbox_->thaw();
  EXPECT_EQ(run(*sandbox_, "a = socket.create_server(('127.0.0.1', 0))"), "");
  EXPECT_EQ(sandbox_->look().sockets, 2);
  EXPECT_EQ(
      run(*sandbox_, "import threading\nt = threading.Thread(target=threading.Event().wait, args=(60,)); t.start()"),
      "");
  EXPECT_EQ(sandbox_->look().threads, 2);
  const auto used = sandbox_->usage().cpu_us;
  EXPECT_EQ(run(*sandbox_, "sum(range(3000000))"), "");
  EXPECT_GT(sandbox_->usage().cpu_us, used + 5000);
}

TEST_F(StateProbeTest, NothingOnceItHasEnded) {
  if (!sandbox_) return;
  sandbox_->kill();
  sandbox_->wait(milliseconds(10'000));
  EXPECT_EQ(sandbox_->look().threads, 0);
  EXPECT_EQ(sandbox_->look().processes, 0);
}

}  // namespace
}  // namespace infra::sandbox
