// What every CodeStore promises. Instantiate with a world type that is constructed for a folder and has store() and
// run(task).
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/sha256.h"
#include "ports/code_store.h"
#include "support/temp_folder.h"

namespace infra::testing {

inline const std::string kShaA(64, 'a');
inline const std::string kShaOfBundle = sha256_of("bundle");

inline std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::filesystem::path write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

template <typename World>
class CodeStoreContract : public ::testing::Test {
 protected:
  TempFolder folder_;
  World world_{folder_.path() / "data"};
  CodeStore& store_ = world_.store();

  Result<void> put(const CodeRef& code, const std::string& bytes) {
    return world_.run(store_.put_bundle(code, write_text(folder_.path() / "staged", bytes)));
  }
};

TYPED_TEST_SUITE_P(CodeStoreContract);

TYPED_TEST_P(CodeStoreContract, GivesBackWhatWasPut) {
  const CodeRef code{"functions/f/1.zip", kShaOfBundle};
  EXPECT_EQ(this->world_.run(this->store_.fetch_bundle(code)).error().kind, ErrorKind::not_found);
  ASSERT_TRUE(this->put(code, "bundle").has_value());
  const auto fetched = this->world_.run(this->store_.fetch_bundle(code));
  ASSERT_TRUE(fetched.has_value()) << fetched.error().message;
  EXPECT_EQ(file_text(*fetched), "bundle");
}

TYPED_TEST_P(CodeStoreContract, PuttingTheSameBundleTwiceIsNoError) {
  ASSERT_TRUE(this->put({"functions/f/1.zip", kShaOfBundle}, "bundle").has_value());
  ASSERT_TRUE(this->put({"functions/g/1.zip", kShaOfBundle}, "bundle").has_value());
  EXPECT_EQ(file_text(this->world_.run(this->store_.fetch_bundle({"functions/g/1.zip", kShaOfBundle})).value()),
            "bundle");
}

TYPED_TEST_P(CodeStoreContract, RetiringWhatIsNotThereIsNoError) {
  EXPECT_TRUE(this->world_.run(this->store_.retire_bundle({"functions/f/1.zip", kShaOfBundle})).has_value());
}

TYPED_TEST_P(CodeStoreContract, ObjectsAreReplacedAndRemoved) {
  const std::string key = "results/0198-a_b.json";
  EXPECT_EQ(this->world_.run(this->store_.get_object(key)).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(this->world_.run(this->store_.remove_object(key)).has_value());
  const std::string bytes("\0one\xff", 5);
  ASSERT_TRUE(this->world_.run(this->store_.put_object(key, bytes)).has_value());
  EXPECT_EQ(this->world_.run(this->store_.get_object(key)).value(), bytes);
  ASSERT_TRUE(this->world_.run(this->store_.put_object(key, "two")).has_value());
  EXPECT_EQ(this->world_.run(this->store_.get_object(key)).value(), "two");
  ASSERT_TRUE(this->world_.run(this->store_.remove_object(key)).has_value());
  EXPECT_EQ(this->world_.run(this->store_.get_object(key)).error().kind, ErrorKind::not_found);
}

// In pieces that do not fit the engine's own.
inline Task<Result<std::string>> read_in_pieces(ByteSource& source) {
  std::string all;
  std::vector<char> piece(100'000);
  while (true) {
    const auto got = co_await source.read(piece);
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return all;
    all.append(piece.data(), *got);
  }
}

TYPED_TEST_P(CodeStoreContract, AnOpenedObjectIsReadPartByPart) {
  const std::string key = "outputs/f/r/large.bin";
  EXPECT_EQ(this->world_.run(this->store_.open_object(key)).error().kind, ErrorKind::not_found);
  std::string bytes(700'001, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7919 >> 8);
  for (const std::string& text : {bytes, std::string("x"), std::string()}) {
    ASSERT_TRUE(this->world_.run(this->store_.put_object(key, text)).has_value());
    const auto opened = this->world_.run(this->store_.open_object(key));
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    EXPECT_EQ((*opened)->size(), text.size());
    EXPECT_TRUE(this->world_.run(read_in_pieces(**opened)).value() == text) << text.size();
  }
}

TYPED_TEST_P(CodeStoreContract, KeysCannotEscape) {
  for (const std::string& key : {std::string(), std::string("../x"), std::string("a/../x"), std::string("/etc/x"),
                                 std::string("a//b"), std::string("a/"), std::string("a b"), std::string("a\0b", 3),
                                 std::string(".hidden"), std::string("a\\b"), std::string(600, 'k')}) {
    EXPECT_EQ(this->world_.run(this->store_.put_object(key, "x")).error().code, "invalid_object_key") << key;
    EXPECT_EQ(this->world_.run(this->store_.get_object(key)).error().code, "invalid_object_key") << key;
    EXPECT_EQ(this->world_.run(this->store_.open_object(key)).error().code, "invalid_object_key") << key;
    EXPECT_EQ(this->world_.run(this->store_.remove_object(key)).error().code, "invalid_object_key") << key;
  }
}

REGISTER_TYPED_TEST_SUITE_P(CodeStoreContract, GivesBackWhatWasPut, PuttingTheSameBundleTwiceIsNoError,
                            RetiringWhatIsNotThereIsNoError, ObjectsAreReplacedAndRemoved,
                            AnOpenedObjectIsReadPartByPart, KeysCannotEscape);

}  // namespace infra::testing
