// Whoever uploads a ZIP without an entry file is told what it has instead, and what to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/bundle_rules.h"

namespace infra {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

BundleEntry entry(const std::string& name) {
  return {.name = name, .type = name.ends_with('/') ? EntryType::directory : EntryType::file};
}

std::string message(const std::vector<std::string>& names, Runtime runtime = Runtime::python) {
  std::vector<BundleEntry> entries;
  for (const auto& name : names) entries.push_back(entry(name));
  const auto result = check_bundle(entries, runtime);
  if (result) return "accepted";
  EXPECT_EQ(result.error().code, "bundle_entry_missing");
  return result.error().message;
}

TEST(BundleHintTest, NamesWhatIsMissing) {
  EXPECT_EQ(message({"README"}), "The ZIP has no main.py at its root, which a python function needs.");
  EXPECT_THAT(message({"README"}, Runtime::nodejs), HasSubstr("index.js or index.mjs at its root"));
}

TEST(BundleHintTest, TellsWhoZippedTheFolderInPlaceOfItsContent) {
  EXPECT_THAT(message({"myfn/", "myfn/main.py", "myfn/lib/main.py", "__MACOSX/myfn/._main.py"}),
              HasSubstr("main.py was found in the folder \"myfn/\": zip the folder's content, not the folder "
                        "(cd myfn && zip -r ../function.zip .)"));
  EXPECT_THAT(message({"a/b/index.js"}, Runtime::nodejs), HasSubstr("(cd a/b && zip -r ../../function.zip .)"));
  EXPECT_THAT(message({"myfn/README", "myfn/x/y"}), HasSubstr("all that it has lies in the folder \"myfn/\": zip"));
  // No command that a shell would read otherwise.
  EXPECT_THAT(message({"my fn; rm -r x/main.py"}), EndsWith("not the folder."));
  EXPECT_THAT(message({"-x/main.py"}), EndsWith("not the folder."));
}

TEST(BundleHintTest, DoesNotTakeOtherPeoplesCodeForTheFunction) {
  for (const auto* name : {"node_modules/express/index.js", ".git/index.js", "__MACOSX/index.js"}) {
    EXPECT_THAT(message({name, "README"}, Runtime::nodejs), Not(HasSubstr("found in the folder"))) << name;
  }
  EXPECT_THAT(message({"node_modules/a/index.js", "src/index.js"}, Runtime::nodejs), HasSubstr("\"src/\""));
}

TEST(BundleHintTest, NamesTheRuntimeThatTheEntryFileIsOf) {
  EXPECT_THAT(message({"index.js", "package.json"}), EndsWith("it has index.js: send runtime=nodejs."));
  EXPECT_THAT(message({"main.py"}, Runtime::nodejs), EndsWith("it has main.py: send runtime=python."));
  EXPECT_THAT(message({"main.go", "go.mod"}, Runtime::cpp), EndsWith("it has main.go: send runtime=go."));
  EXPECT_THAT(message({"main"}), EndsWith("it has main: send runtime=cpp or runtime=go."));
}

TEST(BundleHintTest, NamesFilesThatLookClose) {
  EXPECT_THAT(message({"Main.py"}), EndsWith("it has \"Main.py\", which must be written main.py."));
  EXPECT_THAT(message({"lambda_function.py"}), HasSubstr("\"lambda_function.py\": the file with the handler must be"));
  EXPECT_THAT(message({"a.py", "b.py", "c.py", "d.py"}), HasSubstr("\"a.py\", \"b.py\", \"c.py\" and others"));
  EXPECT_THAT(message({"index.ts", "tsconfig.json"}, Runtime::nodejs), HasSubstr("compile TypeScript to index.js"));
  EXPECT_THAT(message({"main.cc"}, Runtime::cpp),
              HasSubstr("\"main.cc\": the file with the handler must be named main.cpp"));
}

TEST(BundleHintTest, SaysThatTheEntryFileIsALinkToNothing) {
  const auto result =
      check_bundle({{.name = "main.py", .type = EntryType::symlink, .target = "../src/main.py"}}, Runtime::python);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "bundle_has_link");
  const auto inside =
      check_bundle({{.name = "main.py", .type = EntryType::symlink, .target = "src/main.py"}}, Runtime::python);
  ASSERT_FALSE(inside);
  EXPECT_THAT(inside.error().message,
              HasSubstr("its main.py is a link to \"src/main.py\", and no such file is in the ZIP"));
}

}  // namespace
}  // namespace infra
