#include "cli/code_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "support/temp_folder.h"

namespace infra::cli {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, std::string_view text = "x") {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

TEST(CodeFolder, HasWhatIsNotIgnoredInOrder) {
  const testing::TempFolder folder;
  for (const char* const path : {"main.py", "b/x.py", "b/x.log", "build/out", ".env", ".git/config", "infra.toml"})
    write(folder.path() / path);
  write(folder.path() / ".infraignore", "*.log\nbuild/\n");
  write(folder.path() / "run.sh");
  chmod((folder.path() / "run.sh").c_str(), 0755);
  fs::create_symlink("main.py", folder.path() / "link.py");
  const auto found = read_code_folder(folder.path());
  ASSERT_TRUE(found);
  std::string shown;
  for (const auto& file : found->files)
    shown += file.path + (file.is_executable && !file.is_link ? "*" : "") + (file.is_link ? "@" : "") + " ";
  EXPECT_EQ(shown, "b/x.py link.py@ main.py run.sh* ");
  EXPECT_EQ(found->folders.size(), 2U);
  EXPECT_EQ(found->size(), 3U);
}

TEST(CodeFolder, WhatCantBeInABundleIsNamed) {
  const testing::TempFolder folder;
  write(folder.path() / "main.py");
  ASSERT_EQ(mkfifo((folder.path() / "pipe").c_str(), 0600), 0);
  const auto found = read_code_folder(folder.path());
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("pipe is neither"), std::string::npos);
}

TEST(CodeFolder, AnEmptyOneIsNoFunction) {
  const testing::TempFolder folder;
  EXPECT_FALSE(read_code_folder(folder.path()));
  EXPECT_FALSE(read_code_folder(folder.path() / "none"));
}

TEST(Runtime, IsGuessedFromTheEntryFile) {
  EXPECT_EQ(guess_runtime({"main.py", "lib/index.js"}), "python");
  EXPECT_EQ(guess_runtime({"index.mjs"}), "nodejs");
  EXPECT_EQ(guess_runtime({"index.js", "index.mjs"}), "nodejs");
  EXPECT_EQ(guess_runtime({"main.cpp"}), "cpp");
  EXPECT_EQ(guess_runtime({"main.go", "main"}), "go");
  EXPECT_EQ(guess_runtime({"main"}), "cpp") << "both run a ready binary alike";
  EXPECT_EQ(guess_runtime({"main.py", "index.js"}), std::nullopt);
  EXPECT_EQ(guess_runtime({"src/main.py"}), std::nullopt);
}

TEST(PathsInZip, OfWhatIsNoneAreNone) {
  const testing::TempFolder folder;
  write(folder.path() / "not.zip", "PK\x05\x06");
  EXPECT_TRUE(paths_in_zip(folder.path() / "not.zip").empty());
  write(folder.path() / "hostile.zip", std::string("PK\x05\x06") + std::string(18, '\xff'));
  EXPECT_TRUE(paths_in_zip(folder.path() / "hostile.zip").empty());
  EXPECT_TRUE(paths_in_zip(folder.path() / "none.zip").empty());
}

}  // namespace
}  // namespace infra::cli
