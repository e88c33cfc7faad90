// Hostile folders of output files: what is taken out of them, what is left out and why, and that it works through a
// sandbox's init, whatever rights the function gives its files.
#include <sys/stat.h>
#include <sys/un.h>

#include <map>

#include "core/limits.h"
#include "sandbox/protocol/output_exchange.h"
#include "sandbox/protocol/output_folder.h"
#include "sandbox/test_sandbox.h"

namespace infra::sandbox {
namespace {

std::string content(const OutputEntry& entry) {
  std::string bytes(64, '\0');
  const ssize_t size = ::pread(entry.file.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return bytes;
}

// Kept files with what is in them, others with why they are left out.
std::map<std::string, std::string> described(const OutputTree& tree) {
  std::map<std::string, std::string> all;
  for (const auto& entry : tree.entries)
    all[entry.name] = entry.left_out == LeftOut::no ? content(entry) : std::string(in_words(entry.left_out));
  return all;
}

using Described = std::map<std::string, std::string>;

class OutputFolder : public testing::Test {
 protected:
  OutputFolder() {
    std::string name = (fs::temp_directory_path() / "output-test-XXXXXX").string();
    base_ = ::mkdtemp(name.data());
    folder_ = base_ / "output";
    fs::create_directory(folder_);
  }
  ~OutputFolder() override {
    std::error_code ignored;
    fs::remove_all(base_, ignored);
  }

  [[nodiscard]] UniqueFd open_folder() const {
    return UniqueFd(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  OutputTree take() {
    OutputTree tree;
    const UniqueFd folder = open_folder();
    tree.emptied = take_entries(folder.get(), [&](OutputEntry entry) { tree.entries.push_back(std::move(entry)); });
    return tree;
  }
  void write(const std::string& name, const std::string& text) { Folder::write(folder_ / name, text); }
  void sparse(const std::string& name, std::uint64_t size) {
    write(name, "");
    fs::resize_file(folder_ / name, size);
  }

  fs::path base_, folder_;
};

TEST_F(OutputFolder, GivesFilesOfAllFoldersInOrderAndRemovesThem) {
  fs::create_directories(folder_ / "b/c");
  fs::create_directories(folder_ / "empty/deeper");
  write("z.txt", "last");
  write("b/c/x.txt", "inner");
  write("a.txt", "first");
  EXPECT_TRUE(has_entries(open_folder().get()));
  const OutputTree tree = take();
  EXPECT_TRUE(tree.emptied);
  ASSERT_EQ(tree.entries.size(), 3U);
  EXPECT_EQ(tree.entries[0].name, "a.txt");
  EXPECT_EQ(tree.entries[1].name, "b/c/x.txt");
  EXPECT_EQ(described(tree), (Described{{"a.txt", "first"}, {"b/c/x.txt", "inner"}, {"z.txt", "last"}}));
  EXPECT_TRUE(fs::is_empty(folder_));
  EXPECT_FALSE(has_entries(open_folder().get()));
}

TEST_F(OutputFolder, FollowsNoLinkAndWaitsForNoPipe) {
  Folder::write(base_ / "secret", "secret");
  fs::create_directory(base_ / "outside");
  Folder::write(base_ / "outside/file", "outside");
  fs::create_symlink(base_ / "secret", folder_ / "link");
  fs::create_symlink(base_ / "outside", folder_ / "folder-link");
  fs::create_symlink("loop", folder_ / "loop");
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = folder_ / "socket";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const OutputTree tree = take();
  EXPECT_TRUE(tree.emptied);
  const std::string why(in_words(LeftOut::not_regular));
  EXPECT_EQ(described(tree),
            (Described{{"link", why}, {"folder-link", why}, {"loop", why}, {"pipe", why}, {"socket", why}}));
  EXPECT_TRUE(fs::is_empty(folder_));
  EXPECT_EQ(Folder::read(base_ / "secret") + Folder::read(base_ / "outside/file"), "secretoutside");
}

TEST_F(OutputFolder, BothNamesOfAFileAreKept) {
  write("a", "same");
  fs::create_hard_link(folder_ / "a", folder_ / "b");
  EXPECT_EQ(described(take()), (Described{{"a", "same"}, {"b", "same"}}));
}

TEST_F(OutputFolder, KeepsTheFirstTwenty) {
  for (int i = 10; i < 40; ++i) write(std::to_string(i), "x");
  const OutputTree tree = take();
  EXPECT_TRUE(tree.emptied);
  ASSERT_EQ(tree.entries.size(), 30U);
  for (std::size_t i = 0; i < 30; ++i) {
    EXPECT_EQ(tree.entries[i].left_out, i < limits::kMaxOutputFiles ? LeftOut::no : LeftOut::too_many);
  }
}

TEST_F(OutputFolder, BoundsSizes) {
  sparse("1-just", limits::kMaxOutputFileBytes);
  sparse("2-over", limits::kMaxOutputFileBytes + 1);
  sparse("3-giant", 1ULL << 40);
  sparse("4-just", limits::kMaxOutputFileBytes);
  sparse("5-just", limits::kMaxOutputFileBytes);
  sparse("6-past", 3 * limits::kMiB);
  write("7-small", "fits");
  const OutputTree tree = take();
  std::vector<LeftOut> why;
  for (const auto& entry : tree.entries) why.push_back(entry.left_out);
  EXPECT_EQ(why, (std::vector{LeftOut::no, LeftOut::too_large, LeftOut::too_large, LeftOut::no, LeftOut::no,
                              LeftOut::over_total, LeftOut::no}));
}

TEST_F(OutputFolder, DoesNotGoDeeperThanEightFolders) {
  fs::create_directories(folder_ / "2/3/4/5/6/7/8/9/10");
  write("2/3/4/5/6/7/8/in", "in");
  write("2/3/4/5/6/7/8/9/out", "out");
  const OutputTree tree = take();
  EXPECT_FALSE(tree.emptied) << "what is too deep is still there";
  EXPECT_EQ(described(tree),
            (Described{{"2/3/4/5/6/7/8/in", "in"}, {"2/3/4/5/6/7/8/9", std::string(in_words(LeftOut::too_deep))}}));
}

TEST_F(OutputFolder, StopsWhereThereIsTooMuchToLookAt) {
  for (int i = 0; i < 2100; ++i) fs::create_directory(folder_ / std::to_string(i));
  const OutputTree tree = take();
  EXPECT_FALSE(tree.emptied);
  EXPECT_EQ(described(tree), (Described{{"", std::string(in_words(LeftOut::too_many_entries))}}));
}

TEST_F(OutputFolder, NamesUpTo255BytesWithTheirFolders) {
  const std::string half(127, 'x');
  fs::create_directory(folder_ / half);
  write(half + "/" + half, "255");
  write(half + "/" + half + "y", "256");
  const OutputTree tree = take();
  ASSERT_EQ(tree.entries.size(), 2U);
  EXPECT_EQ(tree.entries[0].left_out, LeftOut::no);
  EXPECT_EQ(tree.entries[0].name.size(), 255U);
  EXPECT_EQ(tree.entries[1].left_out, LeftOut::bad_name);
}

TEST_F(OutputFolder, TheLineBetweenInitAndWorkerCarriesAllOfIt) {
  auto line = open_output_line(folder_.c_str());
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_TRUE(request_output(line->client, milliseconds(0)).emptied) << "nobody is asked about an empty folder";
  for (int i = 100; i < 250; ++i) fs::create_symlink("x", folder_ / std::to_string(i));
  write("kept", "bytes");
  std::thread init([&] {
    pollfd asked{line->server.requests.get(), POLLIN, 0};
    if (::poll(&asked, 1, 10'000) == 1) serve_output(line->server);
  });
  const OutputTree tree = request_output(line->client, milliseconds(10'000));
  init.join();
  EXPECT_TRUE(tree.emptied);
  EXPECT_EQ(tree.entries.size(), 101U);
  EXPECT_EQ(tree.unnamed, 50U);
  EXPECT_EQ(content(tree.entries.back()), "bytes");
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(OutputFolder, AnInitThatDoesNotAnswerIsWaitedForNoLongerThanAllowed) {
  auto line = open_output_line(folder_.c_str());
  ASSERT_TRUE(line);
  write("file", "x");
  for (const bool gone : {false, true}) {
    if (gone) line->server.requests.reset();
    const OutputTree tree = request_output(line->client, milliseconds(20));
    EXPECT_FALSE(tree.emptied);
    EXPECT_EQ(described(tree), (Described{{"", std::string(in_words(LeftOut::out_of_reach))}}));
  }
}

constexpr milliseconds kPatience{10'000};

TEST_F(SandboxTest, OutputFilesComeOutWhateverTheirMode) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  EXPECT_TRUE(sandbox->take_output(milliseconds(0)).entries.empty());
  EXPECT_EQ(run(*sandbox, R"(
os.makedirs('/output/a/b', mode=0o700)
def put(name, text, mode):
    with open('/output/' + name, 'w') as f: f.write(text)
    os.chmod('/output/' + name, mode)
put('open', '1', 0o666); put('private', '2', 0o600); put('a/b/readable', '3', 0o400); put('shut', '4', 0)
os.symlink('/etc/passwd', '/output/link'); os.symlink('/proc/1/environ', '/output/init'); socket.socket(socket.AF_UNIX).bind('/output/socket')
os.chmod('/output', 0o700)
out = 'done')"),
            "done");
  const OutputTree tree = sandbox->take_output(kPatience);
  EXPECT_TRUE(tree.emptied);
  const std::string no_file(in_words(LeftOut::not_regular));
  EXPECT_EQ(described(tree), (Described{{"open", "1"},
                                        {"private", "2"},
                                        {"a/b/readable", "3"},
                                        {"shut", std::string(in_words(LeftOut::unreadable))},
                                        {"link", no_file},
                                        {"init", no_file},
                                        {"socket", no_file}}));
  EXPECT_EQ(run(*sandbox, "out = os.listdir('/output')"), "[]");
  EXPECT_EQ(run(*sandbox, "open('/output/second', 'w').write('5'); out = 1"), "1");
  EXPECT_EQ(described(sandbox->take_output(kPatience)), (Described{{"second", "5"}}));
}

TEST_F(SandboxTest, OutputFilesThatCanNotBeRemovedAreSaid) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  for (const char* code : {"os.mkdir('/output/d'); open('/output/d/x', 'w'); os.chmod('/output/d', 0o500); out = 1",
                           "os.mkdir('/output/e'); open('/output/e/x', 'w'); os.chmod('/output/e', 0); out = 1",
                           "open('/output/f', 'w'); os.chmod('/output', 0); out = 1"}) {
    EXPECT_EQ(run(*sandbox, code), "1");
    EXPECT_FALSE(sandbox->take_output(kPatience).emptied) << code;
  }
}

// The runner shares init's user, and may do to it what that user may.
TEST_F(SandboxTest, FilesThatChangeWhileTheyAreTakenDoNoHarm) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, R"(
if os.fork() == 0:
    while True:
        for name in 'abcdef':
            path = '/output/' + name
            for turn in (lambda: os.mkdir(path), lambda: open(path + '/x', 'w').close(), lambda: os.unlink(path + '/x'),
                         lambda: os.rmdir(path), lambda: os.symlink('/etc/passwd', path), lambda: os.unlink(path),
                         lambda: socket.socket(socket.AF_UNIX).bind(path), lambda: os.unlink(path), lambda: open(path, 'w').close(),
                         lambda: os.truncate(path, 100 << 20), lambda: os.unlink(path)):
                try: turn()
                except OSError: pass
out = 'started')"),
            "started");
  for (int i = 0; i < 200; ++i) {
    for (const auto& entry : sandbox->take_output(kPatience).entries) {
      ASSERT_NE(entry.left_out, LeftOut::out_of_reach);
      struct stat info{};
      if (entry.file.valid()) {
        ASSERT_EQ(::fstat(entry.file.get(), &info), 0);
        EXPECT_TRUE(S_ISREG(info.st_mode));
      }
    }
  }
  EXPECT_EQ(run(*sandbox, "out = 'well'"), "well");
}

TEST_F(SandboxTest, InitStillTellsOfTheEndAndReapsOrphans) {
  auto sandbox = launch();
  ASSERT_TRUE(sandbox);
  EXPECT_EQ(run(*sandbox, R"(
for _ in range(50):
    if os.fork() == 0:
        os.fork()
        os._exit(0)
    os.wait()
import time
give_up = time.monotonic() + 10
while len([p for p in os.listdir('/proc') if p.isdigit()]) > 2 and time.monotonic() < give_up: time.sleep(0.005)
out = sorted(p for p in os.listdir('/proc') if p.isdigit())[0], len([p for p in os.listdir('/proc') if p.isdigit()]))"),
            "('1', 2)");
  EXPECT_EQ(run(*sandbox, "os._exit(7)"), "(gone)");
  const SandboxExit exit = sandbox->wait(milliseconds(10'000));
  EXPECT_TRUE(exit.exited);
  EXPECT_EQ(exit.exit_code, 7);
}

}  // namespace
}  // namespace infra::sandbox
