#include "cli/zip_stream.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/code_folder.h"
#include "support/temp_folder.h"

namespace infra::cli {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string pack(const fs::path& folder, std::size_t piece = 1000) {
  auto found = read_code_folder(folder);
  if (!found) return found.error().message;
  ZipStream zip(std::move(found->files));
  std::string bytes;
  std::vector<char> room(piece);
  while (true) {
    const auto count = zip.read(room);
    if (!count) return count.error().message;
    if (*count == 0) return bytes;
    bytes.append(room.data(), *count);
  }
}

TEST(ZipStream, TheSameFilesMakeTheSameBytesHoweverTheyAreRead) {
  const testing::TempFolder one;
  const testing::TempFolder other;
  for (const auto& folder : {one.path(), other.path()}) {
    write(folder / (folder == one.path() ? "main.py" : "z.py"), folder == one.path() ? "1" : "2");
  }
  for (const auto& folder : {other.path(), one.path()}) {
    write(folder / "z.py", "2");
    write(folder / "main.py", "1");
    write(folder / "lib" / "large.txt", std::string(300'000, 'x'));
  }
  const std::string packed = pack(one.path());
  EXPECT_TRUE(packed.starts_with("PK"));
  EXPECT_LT(packed.size(), 3000U);
  EXPECT_EQ(packed, pack(other.path(), 7));
}

TEST(ZipStream, ItsDirectoryHasThePaths) {
  const testing::TempFolder folder;
  write(folder.path() / "main.py", "");
  write(folder.path() / "lib" / "a.py", "x");
  write(folder.path() / ".git" / "config", "x");
  const testing::TempFolder elsewhere;
  const fs::path zip = elsewhere.path() / "code.zip";
  write(zip, pack(folder.path()));
  EXPECT_EQ(paths_in_zip(zip), (std::vector<std::string>{"lib/a.py", "main.py"}));
}

TEST(ZipStream, AFileThatGetsShorterMeanwhileIsNamed) {
  const testing::TempFolder folder;
  write(folder.path() / "main.py", std::string(200'000, 'x'));
  auto found = read_code_folder(folder.path());
  ASSERT_TRUE(found);
  write(folder.path() / "main.py", "");
  ZipStream zip(std::move(found->files));
  std::vector<char> room(1000);
  Outcome<std::size_t> count = 1;
  while (count && *count > 0) count = zip.read(room);
  ASSERT_FALSE(count);
  EXPECT_NE(count.error().message.find("main.py"), std::string::npos);
}

}  // namespace
}  // namespace infra::cli
