// Every rule of a bundle's tree, each broken alone: what unpacks a ZIP trusts nothing that has not passed these.
#include "core/bundle_tree.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"

namespace infra {
namespace {

BundleEntry file(std::string name, std::uint64_t packed = 10, std::uint64_t unpacked = 20) {
  return {.name = std::move(name), .packed_bytes = packed, .unpacked_bytes = unpacked};
}

BundleEntry folder(std::string name) {
  return {.name = std::move(name), .type = EntryType::directory};
}

BundleEntry link(std::string name, std::string target) {
  return {.name = std::move(name), .type = EntryType::symlink, .target = std::move(target)};
}

// "path" of a file, "path/" of a folder, "path -> target" of a link.
std::vector<std::string> lines(const std::vector<BundleEntry>& entries) {
  const auto tree = BundleTree::of(entries);
  if (!tree) return {tree.error().message};
  std::vector<std::string> lines;
  for (const auto& [path, node] : tree->nodes()) {
    lines.push_back(path + (node.type == EntryType::directory ? "/" : ""));
    if (node.type == EntryType::symlink) lines.back() += " -> " + node.target;
  }
  return lines;
}

void expect_refused(const std::vector<BundleEntry>& entries, std::string_view code, const std::string& words) {
  const auto tree = BundleTree::of(entries);
  ASSERT_FALSE(tree.has_value()) << code << ' ' << words;
  EXPECT_EQ(tree.error().code, code);
  EXPECT_THAT(tree.error().message, ::testing::HasSubstr(words));
}

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(BundleTreeTest, HoldsWhatTheEntriesMeanAndTheFoldersTheyImply) {
  EXPECT_THAT(lines({file("main.py"), file("lib/deep/a.py"), folder("empty/")}),
              ElementsAre("empty/", "lib/", "lib/deep/", "lib/deep/a.py", "main.py"));
  // As SST, Serverless Framework and bsdtar write them.
  EXPECT_THAT(lines({folder("./"), file("./main.py"), folder("./pkg/"), file("./pkg/a.py")}),
              ElementsAre("main.py", "pkg/", "pkg/a.py"));
  EXPECT_THAT(lines({folder("a"), folder("a/"), folder("a//"), file("/a/b")}), ElementsAre("a/", "a/b"));
  EXPECT_THAT(lines({folder("./"), folder("/")}), IsEmpty());
  EXPECT_THAT(lines({file("Main.py"), file("main.py")}), ElementsAre("Main.py", "main.py"));
}

TEST(BundleTreeTest, OfSeveralEntriesForOnePathTheLastOneCounts) {
  const auto tree = BundleTree::of({file("main.py"), file("x"), file("./main.py"), link("x", "main.py")});
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->nodes().size(), 2U);
  EXPECT_EQ(tree->find("main.py")->entry, 2U);
  EXPECT_EQ(tree->find("x")->type, EntryType::symlink);
}

TEST(BundleTreeTest, RefusesAPathThatIsAFileOrLinkAndAFolder) {
  expect_refused({file("a"), folder("a/")}, "bundle_duplicate_entry", "\"a\" both as a file and as a folder");
  expect_refused({folder("a/"), file("./a")}, "bundle_duplicate_entry", "\"a\" both as a file and as a folder");
  expect_refused({file("a/b/c"), file("a/b")}, "bundle_duplicate_entry", "\"a/b\" both as a file and as a folder");
  expect_refused({file("a/b"), file("a/b/c")}, "bundle_duplicate_entry", "\"a/b\" both as a file and as a folder");
  // Writing through a link is the classic way out.
  expect_refused({link("a", "lib"), file("lib/x"), file("a/b")}, "bundle_duplicate_entry", "as a link and as a folder");
  expect_refused({file("a/b"), link("a", "lib")}, "bundle_duplicate_entry", "as a link and as a folder");
  expect_refused({link("a", "lib"), folder("a/")}, "bundle_duplicate_entry", "as a link and as a folder");
}

TEST(BundleTreeTest, RefusesSpecialFilesAndEncryption) {
  expect_refused({{.name = "d", .type = EntryType::other}}, "bundle_has_special_file", "\"d\" is a device");
  expect_refused({{.name = "e", .encrypted = true}}, "bundle_encrypted", "\"e\" is encrypted");
  expect_refused({file(".")}, "invalid_bundle_path", "without a name");
  expect_refused({link("./", "a")}, "invalid_bundle_path", "without a name");
}

TEST(BundleTreeTest, KeepsLinksThatStayInside) {
  EXPECT_THAT(lines({file("m/cli.js"), link("node_modules/.bin/cli", "../../m/cli.js"), link("lib64", "lib"),
                     link("self", "."), link("m/up", ".."), link("round", "round"), link("nowhere", "not/there"),
                     link("m/odd", "..//./m/../m/cli.js")}),
              ElementsAre("lib64 -> lib", "m/", "m/cli.js", "m/odd -> ..//./m/../m/cli.js", "m/up -> ..",
                          "node_modules/", "node_modules/.bin/", "node_modules/.bin/cli -> ../../m/cli.js",
                          "nowhere -> not/there", "round -> round", "self -> ."));
}

TEST(BundleTreeTest, RefusesLinksThatLeadOut) {
  for (const auto& bad : {link("l", ".."), link("a/l", "../.."), link("a/l", "../../x"), link("l", "../bundle/x"),
                          link("a/l", "b/../../../x"), link("l", "a/../../x")}) {
    expect_refused({file("a/b/x"), bad}, "bundle_has_link", "out of the bundle");
  }
  expect_refused({link("l", "/etc/passwd")}, "bundle_has_link", "the absolute path \"/etc/passwd\"");
  expect_refused({link("l", "/")}, "bundle_has_link", "the absolute path");
  expect_refused({link("l", "")}, "bundle_has_link", "to nothing");
  expect_refused({link("l", std::string("a\0b", 3))}, "bundle_has_link", "no plain text");
  expect_refused({link("l", "a\xff")}, "bundle_has_link", "no plain text");
}

// By its names "up/../x" stays inside; but the kernel takes ".." from where the link leads to.
TEST(BundleTreeTest, RefusesDotDotThatGoesThroughALinkOrThroughNothing) {
  expect_refused({file("a/b"), link("a/up", ".."), link("l", "a/up/../b")}, "bundle_has_link", "\"a/up/../b\"");
  expect_refused({file("a/d/b"), link("a/up", ".."), link("l", "a/up/a/../b")}, "bundle_has_link", "\"l\"");
  expect_refused({link("l", "missing/../x")}, "bundle_has_link", "\"l\"");
  expect_refused({file("f"), link("l", "f/../x")}, "bundle_has_link", "\"l\"");
}

TEST(BundleTreeTest, FindsFilesThroughLinks) {
  const auto tree = BundleTree::of({file("src/app/main.py"), link("main.py", "code/main.py"), link("code", "src/app"),
                                    link("src/root", "../"), link("a", "b"), link("b", "a"), link("gone", "nothing"),
                                    link("to-folder", "src")});
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->file_at("main.py"), "src/app/main.py");
  EXPECT_EQ(tree->file_at("src/app/main.py"), "src/app/main.py");
  EXPECT_EQ(tree->file_at("src/root/main.py"), "src/app/main.py");
  EXPECT_EQ(tree->file_at("src/root/src/root/code/main.py"), "src/app/main.py");
  for (const auto* path : {"a", "gone", "to-folder", "src", "nothing", "main.py/x", "a/x", ""}) {
    EXPECT_EQ(tree->file_at(path), std::nullopt) << path;
  }
}

TEST(BundleTreeTest, FollowsAsManyLinksAsTheKernel) {
  std::vector<BundleEntry> entries = {file("0")};
  for (int i = 1; i <= 41; ++i) entries.push_back(link(std::to_string(i), std::to_string(i - 1)));
  const auto tree = BundleTree::of(entries);
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->file_at("40"), "0");
  EXPECT_EQ(tree->file_at("41"), std::nullopt);
}

TEST(BundleTreeTest, BoundsEntriesAndTheFoldersThatTheyImply) {
  std::vector<BundleEntry> entries;
  while (entries.size() < limits::kMaxEntries) entries.push_back(file(std::to_string(entries.size())));
  EXPECT_TRUE(BundleTree::of(entries).has_value());
  entries.push_back(file("one more"));
  expect_refused(entries, "bundle_too_many_entries", "10000 entries");
  entries.clear();
  for (std::uint64_t i = 1; i < limits::kMaxEntries; ++i) entries.push_back(file(fmt::format("{}/x", i)));
  entries.push_back(file("in/x"));
  EXPECT_TRUE(BundleTree::of(entries).has_value());
  entries.back() = file("in/two/x");
  expect_refused(entries, "bundle_too_many_entries", "20000 files and folders");
}

TEST(BundleTreeTest, BoundsTheDepthOfFolders) {
  std::string deep = "f";
  for (int i = 0; i < limits::kMaxBundleDepth; ++i) deep.insert(0, "d/");
  EXPECT_TRUE(BundleTree::of({file(deep)}).has_value());
  expect_refused({file("d/" + deep)}, "invalid_bundle_path", "32 folders deep");
  expect_refused({folder(deep + "/")}, "invalid_bundle_path", "32 folders deep");
}

TEST(BundleTreeTest, BoundsTheUnpackedSizeWithoutOverflow) {
  const std::uint64_t half = limits::kMaxUnpackedBytes / 2;
  EXPECT_TRUE(BundleTree::of({file("a", half, half), file("b", half, half)}).has_value());
  const auto over = BundleTree::of({file("a", half, half), file("b", half, half + 1)});
  ASSERT_FALSE(over.has_value());
  EXPECT_EQ(over.error().kind, ErrorKind::too_large);
  expect_refused({file("a"), file("b", 1, ~std::uint64_t{0}), file("c", 1, 2)}, "bundle_too_large_unpacked", "250 MiB");
  // A replaced entry counts, and a folder is no smaller than its block.
  expect_refused({file("a", half, half), file("a", half, half), file("b")}, "bundle_too_large_unpacked", "250 MiB");
  expect_refused({file("x/a", half, half), file("b", half, half)}, "bundle_too_large_unpacked", "250 MiB");
}

TEST(BundleTreeTest, BoundsTheRatioOfFilesPastOneMebibyte) {
  EXPECT_TRUE(BundleTree::of({file("a", 1, limits::kMiB)}).has_value());
  EXPECT_TRUE(BundleTree::of({file("a", 10'000, 2'000'000)}).has_value());
  expect_refused({file("a", 10'000, 2'000'001)}, "bundle_ratio", "200 to 1");
  expect_refused({file("a", 0, limits::kMiB + 1)}, "bundle_ratio", "\"a\"");
}

}  // namespace
}  // namespace infra
