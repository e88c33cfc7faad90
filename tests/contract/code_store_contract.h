// What every CodeStore promises. Instantiate with a factory type that is constructed for a folder and has store().
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "ports/code_store.h"
#include "support/run_task.h"
#include "support/temp_folder.h"

namespace infra::testing {

inline const std::string kShaA(64, 'a');
inline const std::string kShaB(64, 'b');

inline std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::filesystem::path write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

template <typename Factory>
class CodeStoreContract : public ::testing::Test {
 protected:
  TempFolder folder_;
  Factory factory_{folder_.path() / "data"};
  CodeStore& store_ = factory_.store();

  Result<void> put(const CodeRef& code, const std::string& bytes) {
    return run_task(store_.put_bundle(code, write_text(folder_.path() / "staged", bytes)));
  }
};

TYPED_TEST_SUITE_P(CodeStoreContract);

TYPED_TEST_P(CodeStoreContract, GivesBackWhatWasPut) {
  const CodeRef code{"functions/f/1.zip", kShaA};
  EXPECT_EQ(run_task(this->store_.fetch_bundle(code)).error().kind, ErrorKind::not_found);
  ASSERT_TRUE(this->put(code, "bundle").has_value());
  const auto fetched = run_task(this->store_.fetch_bundle(code));
  ASSERT_TRUE(fetched.has_value()) << fetched.error().message;
  EXPECT_EQ(file_text(*fetched), "bundle");
}

TYPED_TEST_P(CodeStoreContract, PuttingTheSameBundleTwiceIsNoError) {
  ASSERT_TRUE(this->put({"functions/f/1.zip", kShaA}, "bundle").has_value());
  ASSERT_TRUE(this->put({"functions/g/1.zip", kShaA}, "bundle").has_value());
  EXPECT_EQ(file_text(run_task(this->store_.fetch_bundle({"functions/g/1.zip", kShaA})).value()), "bundle");
}

TYPED_TEST_P(CodeStoreContract, RetiringWhatIsNotThereIsNoError) {
  EXPECT_TRUE(run_task(this->store_.retire_bundle({"functions/f/1.zip", kShaA})).has_value());
}

TYPED_TEST_P(CodeStoreContract, ObjectsAreReplacedAndRemoved) {
  const std::string key = "results/0198-a_b.json";
  EXPECT_EQ(run_task(this->store_.get_object(key)).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(run_task(this->store_.remove_object(key)).has_value());
  const std::string bytes("\0one\xff", 5);
  ASSERT_TRUE(run_task(this->store_.put_object(key, bytes)).has_value());
  EXPECT_EQ(run_task(this->store_.get_object(key)).value(), bytes);
  ASSERT_TRUE(run_task(this->store_.put_object(key, "two")).has_value());
  EXPECT_EQ(run_task(this->store_.get_object(key)).value(), "two");
  ASSERT_TRUE(run_task(this->store_.remove_object(key)).has_value());
  EXPECT_EQ(run_task(this->store_.get_object(key)).error().kind, ErrorKind::not_found);
}

TYPED_TEST_P(CodeStoreContract, KeysCannotEscape) {
  for (const std::string& key : {std::string(), std::string("../x"), std::string("a/../x"), std::string("/etc/x"),
                                 std::string("a//b"), std::string("a/"), std::string("a b"), std::string("a\0b", 3),
                                 std::string(".hidden"), std::string("a\\b"), std::string(600, 'k')}) {
    EXPECT_EQ(run_task(this->store_.put_object(key, "x")).error().code, "invalid_object_key") << key;
    EXPECT_EQ(run_task(this->store_.get_object(key)).error().code, "invalid_object_key") << key;
    EXPECT_EQ(run_task(this->store_.remove_object(key)).error().code, "invalid_object_key") << key;
  }
}

REGISTER_TYPED_TEST_SUITE_P(CodeStoreContract, GivesBackWhatWasPut, PuttingTheSameBundleTwiceIsNoError,
                            RetiringWhatIsNotThereIsNoError, ObjectsAreReplacedAndRemoved, KeysCannotEscape);

}  // namespace infra::testing
