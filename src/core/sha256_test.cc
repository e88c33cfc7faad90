// SHA-256 against a published example, whole and in pieces.
#include "core/sha256.h"

#include <gtest/gtest.h>

namespace infra {
namespace {

// FIPS 180-2, B.1.
constexpr std::string_view kOfAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Sha256, HashesPiecesAsTheWhole) {
  EXPECT_EQ(sha256_of("abc"), kOfAbc);
  Sha256 hash;
  hash.add(std::string_view("a"));
  hash.add(std::string_view(""));
  hash.add(std::string_view("bc"));
  EXPECT_EQ(hash.finish(), kOfAbc);
}

TEST(Sha256, KnowsItsOwnForm) {
  EXPECT_TRUE(is_sha256(kOfAbc));
  EXPECT_FALSE(is_sha256(""));
  EXPECT_FALSE(is_sha256(std::string(63, 'a')));
  EXPECT_FALSE(is_sha256(std::string(64, 'A')));
}

}  // namespace
}  // namespace infra
