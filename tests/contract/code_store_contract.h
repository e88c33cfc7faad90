// What every CodeStore promises. Instantiate with a world type that is constructed for a folder and has store() and
// run(task).
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "core/sha256.h"
#include "ports/code_store.h"
#include "support/open_file.h"
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

inline std::string pattern_of(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7919 >> 8);
  return bytes;
}

template <typename World>
class CodeStoreContract : public ::testing::Test {
 protected:
  TempFolder folder_;
  World world_{folder_.path() / "data"};
  CodeStore& store_ = world_.store();

  std::filesystem::path write_file(const std::string& bytes) { return write_text(folder_.path() / "file", bytes); }
  Result<StoredFile> put_file(const std::string& key, int file, std::uint64_t max_bytes = 16 << 20) {
    return world_.run(store_.put_file(key, file, max_bytes));
  }
  // Empty if there is none.
  std::string stored(const std::string& key) { return world_.run(store_.get_object(key)).value_or(""); }

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
  const std::string bytes = pattern_of(700'001);
  for (const std::string& text : {bytes, std::string("x"), std::string()}) {
    ASSERT_TRUE(this->world_.run(this->store_.put_object(key, text)).has_value());
    const auto opened = this->world_.run(this->store_.open_object(key));
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    EXPECT_EQ((*opened)->size(), text.size());
    EXPECT_TRUE(this->world_.run(read_in_pieces(**opened)).value() == text) << text.size();
  }
}

TYPED_TEST_P(CodeStoreContract, AnOpenFileIsStoredToItsLastByte) {
  const std::string key = "outputs/f/r/file";
  for (const std::size_t size : {700'001U, 64U * 1024U, 128U * 1024U, 1U, 0U}) {
    const std::string bytes = pattern_of(size);
    const OpenFile file(this->write_file(bytes));
    ::lseek(file.get(), 0, SEEK_END);  // where others left off is none of its affair
    const auto put = this->put_file(key, file.get(), size);
    ASSERT_TRUE(put.has_value()) << put.error().message;
    EXPECT_EQ(put->size, size);
    EXPECT_EQ(put->sha256, sha256_of(bytes));
    const auto got = this->world_.run(this->store_.get_object(key));
    ASSERT_TRUE(got.has_value()) << got.error().message;
    EXPECT_TRUE(*got == bytes) << size;
  }
}

TYPED_TEST_P(CodeStoreContract, TheHolesOfAFileAreZeros) {
  const std::string key = "outputs/f/r/hole";
  const auto path = this->write_file("end");
  std::filesystem::resize_file(path, 300'000);
  const auto put = this->put_file(key, OpenFile(path).get());
  ASSERT_TRUE(put.has_value()) << put.error().message;
  EXPECT_EQ(put->size, 300'000U);
  EXPECT_TRUE(this->stored(key) == "end" + std::string(299'997, '\0'));
}

TYPED_TEST_P(CodeStoreContract, OfAFileThatIsTooLargeNothingIsStored) {
  const std::string key = "outputs/f/r/large";
  const OpenFile open(this->write_file(std::string(100'001, 'x')));
  const int file = open.get();
  EXPECT_EQ(this->put_file(key, file, 100'000).error().code, "object_too_large");
  EXPECT_EQ(this->put_file(key, file, 0).error().kind, ErrorKind::too_large);
  EXPECT_EQ(this->world_.run(this->store_.get_object(key)).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(this->put_file(key, file, 100'001).has_value());
}

TYPED_TEST_P(CodeStoreContract, OfAFileThatCannotBeReadNothingIsStored) {
  const std::string key = "outputs/f/r/unreadable";
  const OpenFile for_writing(this->write_file("bytes"), O_WRONLY);
  const OpenFile folder("/");
  for (const int file : {for_writing.get(), folder.get(), -1}) {
    const auto put = this->put_file(key, file);
    EXPECT_EQ(put.error().code, "file_unreadable") << put.error().message;
    EXPECT_EQ(put.error().kind, ErrorKind::internal);
    EXPECT_EQ(this->world_.run(this->store_.get_object(key)).error().kind, ErrorKind::not_found);
  }
}

// A function's other threads: what is told of the object is true of it, or there is none.
TYPED_TEST_P(CodeStoreContract, AFileThatGrowsAndShrinksMeanwhileIsStoredAsItIsToldOrNotAtAll) {
  const OpenFile open(this->write_file(std::string(400'000, 'a')), O_RDWR);
  const int file = open.get();
  const std::jthread writer([&](const std::stop_token& stop) {
    const std::string other(100'000, 'b');
    while (!stop.stop_requested()) {
      (void)::ftruncate(file, 50'000);
      (void)::pwrite(file, other.data(), other.size(), 0);
      (void)::ftruncate(file, 900'000);
    }
  });
  for (int i = 0; i < 30; ++i) {
    const std::string key = "outputs/f/r/" + std::to_string(i);
    const auto put = this->put_file(key, file);
    const auto got = this->world_.run(this->store_.get_object(key));
    ASSERT_EQ(put.has_value(), got.has_value()) << i << (put ? "" : put.error().message);
    if (!put) {
      EXPECT_EQ(put.error().code, "file_changed") << put.error().message;
      continue;
    }
    EXPECT_EQ(put->size, got->size());
    EXPECT_EQ(put->sha256, sha256_of(*got));
  }
}

TYPED_TEST_P(CodeStoreContract, KeysCannotEscape) {
  for (const std::string& key : {std::string(), std::string("../x"), std::string("a/../x"), std::string("/etc/x"),
                                 std::string("a//b"), std::string("a/"), std::string("a b"), std::string("a\0b", 3),
                                 std::string(".hidden"), std::string("a\\b"), std::string(600, 'k')}) {
    EXPECT_EQ(this->world_.run(this->store_.put_object(key, "x")).error().code, "invalid_object_key") << key;
    EXPECT_EQ(this->put_file(key, 0).error().code, "invalid_object_key") << key;
    EXPECT_EQ(this->world_.run(this->store_.get_object(key)).error().code, "invalid_object_key") << key;
    EXPECT_EQ(this->world_.run(this->store_.open_object(key)).error().code, "invalid_object_key") << key;
    EXPECT_EQ(this->world_.run(this->store_.remove_object(key)).error().code, "invalid_object_key") << key;
  }
}

REGISTER_TYPED_TEST_SUITE_P(CodeStoreContract, GivesBackWhatWasPut, PuttingTheSameBundleTwiceIsNoError,
                            RetiringWhatIsNotThereIsNoError, ObjectsAreReplacedAndRemoved,
                            AnOpenedObjectIsReadPartByPart, AnOpenFileIsStoredToItsLastByte, TheHolesOfAFileAreZeros,
                            OfAFileThatIsTooLargeNothingIsStored, OfAFileThatCannotBeReadNothingIsStored,
                            AFileThatGrowsAndShrinksMeanwhileIsStoredAsItIsToldOrNotAtAll, KeysCannotEscape);

}  // namespace infra::testing
