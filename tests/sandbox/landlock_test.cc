// The last fence: what it keeps away even from a function that was handed a piece of the machine.
#include "sandbox/system/landlock.h"

#include "sandbox/test_sandbox.h"

namespace infra::sandbox {
namespace {

class LandlockTest : public SandboxTest {
 protected:
  void SetUp() override {
    SandboxTest::SetUp();
    if (IsSkipped()) return;
    if (landlock_version() == 0) GTEST_SKIP() << "this kernel has no Landlock";
    sandbox_ = launch();
    ASSERT_TRUE(sandbox_);
  }
  // As if by a mistake of ours the runner had got it: over the one socket that leads into the sandbox.
  void hand_over(int fd) {
    char byte = 'x';
    iovec part{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fd)> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    send_code(*sandbox_, "_, got, _, _ = socket.recv_fds(control_socket, 1, 1)\nout = len(got)");
    ASSERT_EQ(::sendmsg(sandbox_->handles().control, &header, MSG_NOSIGNAL), 1);
    EXPECT_EQ(answer(), "1");
  }
  std::string answer() {
    const std::string head = read_exactly(sandbox_->handles().control, 4);
    std::uint32_t size = 0;
    std::memcpy(&size, head.data(), std::min<std::size_t>(head.size(), 4));
    return read_exactly(sandbox_->handles().control, size);
  }
  std::unique_ptr<Sandbox> sandbox_;
};

TEST_F(LandlockTest, AFolderOfTheMachineThatLeakedOpensNothing) {
  const fs::path folder = folder_.path() / "open";
  fs::create_directory(folder);
  Folder::write(folder / "secret", "secret");
  fs::permissions(folder, fs::perms::all);
  fs::permissions(folder / "secret", fs::perms::all);
  const UniqueFd leaked(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(run(*sandbox_, "control_socket = socket.socket(fileno=os.dup(3))"), "");
  hand_over(leaked.get());
  EXPECT_EQ(run(*sandbox_, "out = os.fstat(got[0]).st_ino > 0"), "True") << "it was handed over";
  for (const std::string tried :
       {"os.open('secret', os.O_RDONLY, dir_fd=got[0])", "os.open('secret', os.O_WRONLY, dir_fd=got[0])",
        "os.open('new', os.O_CREAT | os.O_WRONLY, dir_fd=got[0])", "os.mkdir('new', dir_fd=got[0])",
        "os.unlink('secret', dir_fd=got[0])", "os.open('..', os.O_RDONLY, dir_fd=got[0])",
        "os.symlink('/', 'new', dir_fd=got[0])", "os.rename('secret', '/tmp/secret', src_dir_fd=got[0])",
        "os.listdir(f'/proc/self/fd/{got[0]}/..')"}) {
    const std::string came = run(*sandbox_, "out = " + tried);
    EXPECT_TRUE(came.starts_with("PermissionError: [Errno 13]") || came.starts_with("OSError: [Errno 18]"))
        << tried << " " << came;
  }
  EXPECT_EQ(Folder::read(folder / "secret"), "secret");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
}

TEST_F(LandlockTest, InitIsNotSignalled) {
  if (landlock_version() < 6) GTEST_SKIP() << "signals are scoped from version 6 on";
  EXPECT_TRUE(run(*sandbox_, "os.kill(1, 0)").starts_with("PermissionError"));
  EXPECT_EQ(
      run(*sandbox_, "child = os.fork()\nif child == 0: os._exit(0)\nos.kill(child, 0); out = os.waitpid(child, 0)[1]"),
      "0");
}

TEST_F(LandlockTest, WhatIsTheFunctionsStaysIts) {
  EXPECT_EQ(run(*sandbox_,
                "for d in ('/tmp', '/output', '/workspace', '/dev/shm'):\n"
                "  os.makedirs(d + '/a/b'); open(d + '/a/f', 'w').write('x'); os.rename(d + '/a/f', d + '/a/b/f')\n"
                "  os.link(d + '/a/b/f', d + '/a/g') ; os.truncate(d + '/a/g', 0); os.symlink('g', d + '/a/s')\n"
                "out = sorted(os.listdir('/workspace/a'))"),
            "['b', 'g', 's']");
  EXPECT_EQ(run(*sandbox_,
                "import subprocess\nout = subprocess.run(['/bin/sh', '-c', 'cat < /proc/self/fd/0; echo $((40+2)) > "
                "/dev/null; echo done'], input=b'', capture_output=True).stdout"),
            "b'done\\n'");
  EXPECT_EQ(
      run(*sandbox_, "import shutil\nshutil.copy('/bin/true', '/workspace/own'); out = os.system('/workspace/own')"),
      "0");
}

}  // namespace
}  // namespace infra::sandbox
