// Every rule of a bundle, each broken alone: the ZIP reader trusts nothing that has not passed these.
#include "core/bundle_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "core/text.h"

namespace infra {
namespace {

BundleEntry file(std::string name, std::uint64_t packed = 10, std::uint64_t unpacked = 20) {
  return {.name = std::move(name), .packed_bytes = packed, .unpacked_bytes = unpacked};
}

std::vector<BundleEntry> with_main(BundleEntry entry) {
  return {file("main.py"), std::move(entry)};
}

void expect_refused(const std::vector<BundleEntry>& entries, std::string_view code, const std::string& words,
                    Runtime runtime = Runtime::python) {
  const auto result = check_bundle(entries, runtime);
  ASSERT_FALSE(result.has_value()) << code;
  EXPECT_EQ(result.error().code, code);
  EXPECT_THAT(result.error().message, ::testing::HasSubstr(words));
}

TEST(BundleRulesTest, AcceptsAnOrdinaryBundle) {
  std::vector<BundleEntry> entries = {file("main.py"), file("lib/a..b/...c.py"), file("W\xc3\xb6rter.txt", 0, 0)};
  entries.push_back({.name = "lib/", .type = EntryType::directory});
  const auto result = check_bundle(entries, Runtime::python);
  EXPECT_TRUE(result.has_value()) << result.error().message;
}

TEST(BundleRulesTest, RefusesPathsThatLeaveTheBundleOrAreAmbiguous) {
  for (const std::string& name : {std::string("/etc/passwd"),
                                  std::string("C:/x"),
                                  std::string("c:x"),
                                  std::string(".."),
                                  std::string("../x"),
                                  std::string("a/../x"),
                                  std::string("a/.."),
                                  std::string("a\\..\\x"),
                                  std::string("./x"),
                                  std::string("a/./x"),
                                  std::string("a//x"),
                                  std::string("a//"),
                                  std::string("/"),
                                  std::string(),
                                  std::string("a\nb"),
                                  std::string("a\0b", 3),
                                  std::string("a\x7f"),
                                  std::string("\xff.py"),
                                  std::string("\xc0\xae\xc0\xae/x"),
                                  std::string(1025, 'a'),
                                  "a/" + std::string(256, 'b')}) {
    expect_refused(with_main(file(name)), "invalid_bundle_path", "The ZIP entry");
  }
}

TEST(BundleRulesTest, ShowsOnlyTheStartOfAHostileNameAndOnlyAsText) {
  const auto result = check_bundle(with_main(file(std::string(5000, '\xff'))), Runtime::python);
  ASSERT_FALSE(result.has_value());
  EXPECT_LT(result.error().message.size(), 400U);
  EXPECT_TRUE(is_valid_utf8(result.error().message));
}

TEST(BundleRulesTest, RefusesLinksDevicesAndEncryption) {
  expect_refused(with_main({.name = "l", .type = EntryType::symlink}), "bundle_has_link", "\"l\" is a link");
  expect_refused(with_main({.name = "d", .type = EntryType::other}), "bundle_has_special_file", "\"d\" is a device");
  expect_refused(with_main({.name = "e", .encrypted = true}), "bundle_encrypted", "\"e\" is encrypted");
}

TEST(BundleRulesTest, BoundsTheNumberOfEntries) {
  expect_refused({}, "bundle_empty", "empty");
  std::vector<BundleEntry> entries = {file("main.py")};
  while (entries.size() < limits::kMaxEntries) entries.push_back(file(std::to_string(entries.size())));
  EXPECT_TRUE(check_bundle(entries, Runtime::python).has_value());
  entries.push_back(file("one more"));
  expect_refused(entries, "bundle_too_many_entries", "10000 entries");
}

TEST(BundleRulesTest, BoundsTheUnpackedSizeWithoutOverflow) {
  const std::uint64_t half = limits::kMaxUnpackedBytes / 2;
  EXPECT_TRUE(check_bundle({file("main.py", half, half), file("b", half, half)}, Runtime::python).has_value());
  const auto over = check_bundle({file("main.py", half, half), file("b", half, half + 1)}, Runtime::python);
  ASSERT_FALSE(over.has_value());
  EXPECT_EQ(over.error().kind, ErrorKind::too_large);
  expect_refused({file("main.py"), file("b", 1, ~std::uint64_t{0}), file("c", 1, 2)}, "bundle_too_large_unpacked",
                 "250 MiB");
}

TEST(BundleRulesTest, BoundsTheRatioOfFilesPastOneMebibyte) {
  EXPECT_TRUE(check_bundle({file("main.py", 1, limits::kMiB)}, Runtime::python).has_value());
  EXPECT_TRUE(check_bundle({file("main.py", 10'000, 2'000'000)}, Runtime::python).has_value());
  expect_refused({file("main.py", 10'000, 2'000'001)}, "bundle_ratio", "200 to 1");
  expect_refused({file("main.py", 0, limits::kMiB + 1)}, "bundle_ratio", "\"main.py\"");
}

TEST(BundleRulesTest, RefusesTwoEntriesForOnePath) {
  const auto folder = [](std::string name) {
    return BundleEntry{.name = std::move(name), .type = EntryType::directory};
  };
  expect_refused({file("main.py"), file("main.py")}, "bundle_duplicate_entry", "\"main.py\" twice");
  expect_refused({file("main.py"), file("a"), folder("a/")}, "bundle_duplicate_entry", "\"a\" twice");
  expect_refused({file("main.py"), file("a/b/c"), file("a/b")}, "bundle_duplicate_entry",
                 "both as a file and as a folder");
}

TEST(BundleRulesTest, NeedsTheRuntimesEntryFileAtTheRoot) {
  expect_refused({file("app/main.py")}, "bundle_entry_missing", "no main.py at its root");
  expect_refused({file("main.py")}, "bundle_entry_missing", "index.js or index.mjs", Runtime::nodejs);
  expect_refused({file("Main.py")}, "bundle_entry_missing", "python function");
  expect_refused({{.name = "main/", .type = EntryType::directory}}, "bundle_entry_missing", "main.go or main",
                 Runtime::go);

  expect_refused({file("main.cpp"), file("main.go")}, "bundle_entry_ambiguous", "leave one", Runtime::cpp);

  EXPECT_EQ(entry_file({file("index.mjs"), file("index.js")}, Runtime::nodejs), "index.js");
  EXPECT_EQ(entry_file({file("index.mjs")}, Runtime::nodejs), "index.mjs");
  EXPECT_EQ(entry_file({file("main")}, Runtime::cpp), "main");
  EXPECT_EQ(entry_file({file("main.go")}, Runtime::cpp), std::nullopt);
}

}  // namespace
}  // namespace infra
