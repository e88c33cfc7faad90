// The table of runtimes: what its rows must hold for the code that reads them, and numbers and names from strangers.
#include "core/runtime.h"

#include <gtest/gtest.h>

#include <limits>

namespace infra {
namespace {

TEST(RuntimeTest, EveryRowIsWhole) {
  for (const auto& row : kRuntimes) {
    EXPECT_EQ(parse_runtime(row.name), row.runtime);
    EXPECT_EQ(to_string(row.runtime), row.name);
    EXPECT_FALSE(row.entry_files.empty()) << row.name;
    EXPECT_FALSE(row.source_suffixes.empty()) << row.name;
    EXPECT_NE(row.interpreter == nullptr, row.compiler.empty()) << row.name << ": interpreted or compiled";
    EXPECT_EQ(row.compiler.empty(), row.compiler_package.empty()) << row.name;
    EXPECT_EQ(is_compiled(row.waits_as), is_compiled(row.runtime)) << row.name;
    EXPECT_EQ(traits_of(row.waits_as).waits_as, row.waits_as) << row.name;
    if (row.waits_as == row.runtime) {
      EXPECT_LE(row.least_waiting, row.most_waiting) << row.name;
      EXPECT_GT(row.most_waiting, 0) << row.name;
    }
  }
}

TEST(RuntimeTest, NumbersThatAreStoredStayWhatTheyMean) {
  EXPECT_EQ(from_number<Runtime>(0), Runtime::python);
  EXPECT_EQ(from_number<Runtime>(1), Runtime::nodejs);
  EXPECT_EQ(from_number<Runtime>(2), Runtime::cpp);
  EXPECT_EQ(from_number<Runtime>(3), Runtime::go);
}

TEST(RuntimeTest, ANumberThatMeansNothingIsNoRuntime) {
  EXPECT_EQ(from_number<Runtime>(kRuntimes.size()), std::nullopt);
  EXPECT_EQ(from_number<Runtime>(-1), std::nullopt);
  EXPECT_EQ(from_number<Runtime>(256), std::nullopt);
  EXPECT_EQ(from_number<Runtime>(std::numeric_limits<std::int64_t>::min()), std::nullopt);
  EXPECT_EQ(from_number<Runtime>(std::numeric_limits<std::uint64_t>::max()), std::nullopt);
}

TEST(RuntimeTest, AnUnknownNameIsNoRuntime) {
  for (const auto* name : {"", "Python", "python ", "node", "ruby"})
    EXPECT_EQ(parse_runtime(name), std::nullopt) << name;
}

TEST(RuntimeTest, AnInterpretersOptionsComeBeforeItsScript) {
  EXPECT_EQ(command_for(kPythonInterpreter, "/usr/bin/python3.11", "/x/runner.py"),
            (std::vector<std::string>{"/usr/bin/python3.11", "-I", "-B", "-u", "/x/runner.py"}));
  EXPECT_EQ(command_for(kNodeInterpreter, "/usr/bin/node", "r.js"),
            (std::vector<std::string>{"/usr/bin/node", "r.js"}));
}

}  // namespace
}  // namespace infra
