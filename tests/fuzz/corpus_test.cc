// The inputs that fuzzing has kept, as ordinary tests: each target takes all of its corpus again, without a fuzzer.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "fuzz/target.h"

namespace infra::fuzz {
namespace {

std::map<std::string, Target>& targets() {
  static std::map<std::string, Target> all;
  return all;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::filesystem::path& corpora() {
  static const std::filesystem::path folder = INFRA_FUZZ_CORPORA;
  return folder;
}

TEST(FuzzCorpus, EachTargetHasOneAndEachIsATargets) {
  std::set<std::string> folders;
  for (const auto& entry : std::filesystem::directory_iterator(corpora())) folders.insert(entry.path().filename());
  std::set<std::string> names;
  for (const auto& [name, _] : targets()) names.insert(name);
  EXPECT_EQ(folders, names);
}

TEST(FuzzCorpus, KeepsItsPromises) {
  for (const auto& [name, target] : targets()) {
    target("");
    for (const auto& entry : std::filesystem::directory_iterator(corpora() / name)) {
      const std::string input = read_file(entry.path());
      SCOPED_TRACE(entry.path().string());
      // A broken promise ends the process: this is what tells of which input.
      std::fprintf(stderr, "%s\n", entry.path().c_str());
      target(input);
    }
  }
}

}  // namespace

Registered::Registered(const char* name, Target target) {
  targets().emplace(name, target);
}

}  // namespace infra::fuzz
