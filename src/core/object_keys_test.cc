// Objects' keys: each kind in its own folder, where rights and expiry are set; output files' ones for each name, none
// that a store refuses, none that leaves its run's folder.
#include "core/object_keys.h"

#include <gtest/gtest.h>

#include <set>

#include "core/executable.h"

namespace infra {
namespace {

const FunctionId kFunction{"018bcfe5-0000-7abc-8def-000000000001"};
const RequestId kRequest{"018bcfe5-0000-7abc-8def-000000000002"};
constexpr std::string_view kFolder =
    "outputs/018bcfe5-0000-7abc-8def-000000000001/018bcfe5-0000-7abc-8def-000000000002/";

TEST(ObjectKeys, OfEachKindAreAsTheContractHasThem) {
  EXPECT_EQ(bundle_key({"f"}, "u"), "functions/f/u.zip");
  EXPECT_EQ(build_key("abc", kMachines[0]), "builds/2/abc/x86_64");
  EXPECT_EQ(output_key({"f"}, {"r"}, "a"), "outputs/f/r/a");
  EXPECT_EQ(result_key({"r"}), "results/r.json");
  EXPECT_EQ(payload_key({"r"}), "payloads/r.json");
}

TEST(ObjectKeys, AreAllInFoldersOfTheTableAndAllowed) {
  const std::array keys = {bundle_key({"f"}, "u"), build_key("abc", kMachines[0]), output_key({"f"}, {"r"}, "a"),
                           result_key({"r"}), payload_key({"r"})};
  std::set<std::string_view> folders;
  for (const auto& folder : object_folders::all) folders.insert(folder.name);
  EXPECT_EQ(folders.size(), keys.size());
  for (const auto& key : keys) {
    EXPECT_TRUE(folders.erase(std::string_view(key).substr(0, key.find('/')))) << key;
    EXPECT_TRUE(check_object_key(key)) << key;
  }
}

TEST(ObjectKeys, ABundlesKeySaysWhichUploadItIsFrom) {
  EXPECT_EQ(upload_of(bundle_key({"f"}, "u-1")), "u-1");
  EXPECT_EQ(upload_of("f.zip"), "f");
  EXPECT_EQ(upload_of("functions/f/code"), "");
  EXPECT_EQ(upload_of(""), "");
}

TEST(OutputKey, APlainNameStaysReadable) {
  EXPECT_EQ(output_key(kFunction, kRequest, "plots/a-1_b.png"), std::string(kFolder) + "plots/a-1_b.png");
}

TEST(OutputKey, EveryOtherNameIsHashedIntoAKeyOfItsOwn) {
  const std::set<std::string> names = {"a b",
                                       "a+b",
                                       "보고서.pdf",
                                       ".hidden",
                                       "a/.hidden",
                                       "../../code/x",
                                       "a/../b",
                                       "/etc/passwd",
                                       "a//b",
                                       "_/x",
                                       "_",
                                       "a/",
                                       std::string(255, 'x') + "ü"};
  std::set<std::string> keys;
  for (const auto& name : names) {
    const std::string key = output_key(kFunction, kRequest, name);
    EXPECT_TRUE(check_object_key(key)) << key;
    EXPECT_TRUE(key.starts_with(std::string(kFolder) + "_/")) << key;
    EXPECT_EQ(key.size(), kFolder.size() + 2 + 64);
    keys.insert(key);
  }
  EXPECT_EQ(keys.size(), names.size());
}

TEST(OutputKey, EachStartOfAJobHasKeysOfItsOwn) {
  std::set<std::string> keys;
  for (const int attempt : {1, 2, 3}) {
    for (const char* name : {"a", "a b", "2/a", "_/2/a"}) {
      keys.insert(output_key(kFunction, kRequest, name, attempt));
      EXPECT_TRUE(check_object_key(*keys.rbegin()));
    }
  }
  EXPECT_EQ(keys.size(), 12U);
  EXPECT_EQ(output_key(kFunction, kRequest, "a", 1), std::string(kFolder) + "a");
}

TEST(OutputKey, AForeignIdMakesAKeyThatEveryStoreRefuses) {
  EXPECT_FALSE(check_object_key(output_key({"../x"}, kRequest, "a")));
  EXPECT_FALSE(check_object_key(output_key(kFunction, {".."}, "a")));
  EXPECT_FALSE(check_object_key(output_key(kFunction, {""}, "a")));
}

TEST(OutputKey, NamesThatCanBeKept) {
  for (const char* name : {"a", "a/b.txt", "with space", "보고서.pdf", ".hidden"})
    EXPECT_TRUE(is_output_name(name)) << name;
  EXPECT_TRUE(is_output_name(std::string(255, 'x')));
  for (const auto& name : {std::string(), std::string(256, 'x'), std::string("a\nb"), std::string("a\x7f"),
                           std::string("\xff\xfe"), std::string("a\0b", 3)}) {
    EXPECT_FALSE(is_output_name(name)) << name;
  }
}

}  // namespace
}  // namespace infra
