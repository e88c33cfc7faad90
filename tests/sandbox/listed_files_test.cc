// Keys that root alone reads, by way of the spawner: what is on its list, as it is when it is asked for, and nothing
// else.
#include "sandbox/client/listed_files.h"

#include <sys/stat.h>

#include "sandbox/client/spawner_connection.h"
#include "sandbox/test_sandbox.h"
#include "support/temp_folder.h"

namespace infra::sandbox {
namespace {

namespace fs = std::filesystem;

std::string text_of(int descriptor) {
  if (descriptor < 0) return std::strerror(-descriptor);
  const UniqueFd file(descriptor);
  std::array<char, 256> buffer;
  const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

std::string line_of(const fs::path& status, const std::string& name) {
  std::ifstream file(status);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":")) return line.substr(line.find_first_not_of(" \t", name.size() + 1));
  }
  return {};
}

class ListedFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "files that root alone reads take root";
    write(key, "first");
    fs::create_directory(folder.path() / "old");
    fs::create_directory(folder.path() / "new");
    write(folder.path() / "old/token", "old token");
    write(folder.path() / "new/token", "new token");
    fs::create_directory_symlink("old", folder.path() / "current");
    ::mkfifo((folder.path() / "pipe").c_str(), 0600);
    const fs::path missing = folder.path() / "missing";
    auto handle =
        start_file_opener(INFRA_SPAWNER, {key, folder.path() / "current/token", folder.path() / "pipe", missing});
    ASSERT_TRUE(handle) << handle.error().message;
    pid = handle->pid;
    files.emplace(std::make_shared<SpawnerConnection>(std::move(*handle)),
                  std::vector<std::string>{"key", "token", "pipe", "missing"});
  }

  static void write(const fs::path& path, const std::string& text) {
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0600);
  }

  const ::infra::testing::TempFolder folder;
  const fs::path key = folder.path() / "key.pem";
  std::optional<ListedFiles> files;
  pid_t pid = -1;
};

TEST_F(ListedFilesTest, AreReadAsTheyAreWhenTheyAreAskedFor) {
  EXPECT_EQ(text_of(files->open("key")), "first");
  write(folder.path() / "renewed", "second");
  fs::rename(folder.path() / "renewed", key);
  EXPECT_EQ(text_of(files->open("key")), "second") << "another file came in its place";
  EXPECT_EQ(text_of(files->open("token")), "old token");
  fs::remove(folder.path() / "current");
  fs::create_directory_symlink("new", folder.path() / "current");
  EXPECT_EQ(text_of(files->open("token")), "new token") << "a link on its way leads elsewhere";
  fs::remove(key);
  EXPECT_EQ(files->open("key"), -ENOENT);
}

TEST_F(ListedFilesTest, AreNoOthersThanThoseOfTheList) {
  EXPECT_EQ(files->open(key.string()), -ENOENT) << "by the name that it has on the list alone";
  EXPECT_EQ(files->open("/etc/shadow"), -ENOENT);
  EXPECT_EQ(files->open("missing"), -ENOENT);
  EXPECT_EQ(files->open("pipe"), -EINVAL) << "which the opener would wait for";
}

TEST_F(ListedFilesTest, TheirOpenerHasOneCapabilityAndNoTask) {
  const fs::path status = "/proc/" + std::to_string(pid) + "/status";
  EXPECT_EQ(line_of(status, "CapEff"), "0000000000000004");
  EXPECT_EQ(line_of(status, "CapPrm"), "0000000000000004");
  EXPECT_EQ(line_of(status, "CapBnd"), "0000000000000000");
  EXPECT_EQ(line_of(status, "NoNewPrivs"), "1");
}

// A program that was taken over may write what it likes into the socket.
TEST(ListedFileRequests, ThatNameNoFileAreRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "the spawner takes root";
  auto handle = start_file_opener(INFRA_SPAWNER, {});
  ASSERT_TRUE(handle) << handle.error().message;
  SpawnerConnection connection(std::move(*handle));
  for (const std::uint32_t number : {0U, 1U, ~0U}) {
    SpawnerRequest request{.op = SpawnerOp::open_file};
    request.file = number;
    const auto reply = connection.ask(request);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->event.kind, SpawnerEventKind::file_refused);
    EXPECT_EQ(reply->event.exit_code, EINVAL);
  }
}

}  // namespace
}  // namespace infra::sandbox
