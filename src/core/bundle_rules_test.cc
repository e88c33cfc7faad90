// What makes a bundle a function: the entry file of its runtime, at its root.
#include "core/bundle_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace infra {
namespace {

BundleEntry file(std::string name) {
  return {.name = std::move(name), .packed_bytes = 10, .unpacked_bytes = 20};
}

BundleEntry link(std::string name, std::string target) {
  return {.name = std::move(name), .type = EntryType::symlink, .target = std::move(target)};
}

std::string code_of(const std::vector<BundleEntry>& entries, Runtime runtime) {
  const auto result = check_bundle(entries, runtime);
  return result ? "accepted" : result.error().code;
}

TEST(BundleRulesTest, FindsTheRuntimesEntryFile) {
  EXPECT_EQ(check_bundle({file("main.py"), file("lib/a.py")}, Runtime::python), "main.py");
  EXPECT_EQ(check_bundle({file("./main.py")}, Runtime::python), "main.py");
  EXPECT_EQ(check_bundle({file("index.mjs"), file("index.js")}, Runtime::nodejs), "index.js");
  EXPECT_EQ(check_bundle({file("index.mjs")}, Runtime::nodejs), "index.mjs");
  EXPECT_EQ(check_bundle({file("main")}, Runtime::cpp), kReadyBinary);
  EXPECT_EQ(check_bundle({file("main"), file("main.go")}, Runtime::go), "main.go");
}

TEST(BundleRulesTest, AnEntryFileMayBeALinkToOne) {
  EXPECT_EQ(check_bundle({link("main.py", "src/main.py"), file("src/main.py")}, Runtime::python), "main.py");
  EXPECT_EQ(code_of({link("main.py", "src/main.py")}, Runtime::python), "bundle_entry_missing");
  EXPECT_EQ(code_of({link("main.py", "src"), file("src/x")}, Runtime::python), "bundle_entry_missing");
  EXPECT_EQ(code_of({link("main", ".infra/x"), file(".infra/x")}, Runtime::go), "bundle_entry_missing");
  EXPECT_EQ(check_bundle({link("main.py", ".infra/x"), file(".infra/x")}, Runtime::python), "main.py");
}

TEST(BundleRulesTest, RefusesWhatIsNoFunction) {
  EXPECT_EQ(code_of({}, Runtime::python), "bundle_empty");
  EXPECT_EQ(code_of({{.name = "./", .type = EntryType::directory}}, Runtime::python), "bundle_empty");
  EXPECT_EQ(code_of({file("app/main.py")}, Runtime::python), "bundle_entry_missing");
  EXPECT_EQ(code_of({{.name = "main/", .type = EntryType::directory}}, Runtime::go), "bundle_entry_missing");
  EXPECT_EQ(code_of({file("main.go")}, Runtime::cpp), "bundle_entry_missing");
  EXPECT_EQ(code_of({file("main.cpp"), file("main.go")}, Runtime::cpp), "bundle_entry_ambiguous");
  EXPECT_EQ(code_of({file("main.py"), file("../x")}, Runtime::python), "invalid_bundle_path");
}

}  // namespace
}  // namespace infra
