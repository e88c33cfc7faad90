#include "core/secrets_key.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace infra {
namespace {

constexpr const char* kText = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

SecretsKey::Nonce nonce(unsigned char first) {
  return {std::byte{first}};
}

TEST(SecretsKey, IsThirtyTwoBytesInBase64) {
  std::array<std::byte, 32> bytes{};
  for (unsigned char i = 0; i < 32; ++i) bytes.at(i) = std::byte{i};
  EXPECT_EQ(SecretsKey::make_text(bytes), kText);
  EXPECT_TRUE(SecretsKey::parse(kText));
  const std::string text(kText);
  const std::vector<std::string> wrongs = {"",
                                           "x",
                                           text.substr(1),
                                           text + "\n",
                                           " " + text,
                                           text.substr(0, 40),
                                           text + text,
                                           "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",
                                           std::string(44, '!'),
                                           std::string(1 << 20, 'A')};
  for (const auto& wrong : wrongs) {
    EXPECT_FALSE(SecretsKey::parse(wrong)) << wrong.substr(0, 50);
  }
}

TEST(SecretsKey, OpensWhatItSealedForThatOwnerAlone) {
  const auto key = SecretsKey::parse(kText).value();
  const std::string sealed = key.seal("the secret", "k_one", nonce(1));
  EXPECT_EQ(sealed.find("the secret"), std::string::npos);
  EXPECT_EQ(key.open(sealed, "k_one"), "the secret");
  EXPECT_EQ(key.open(key.seal("", "k_one", nonce(2)), "k_one"), "");
  EXPECT_FALSE(key.open(sealed, "k_two"));
  const auto other = SecretsKey::parse("AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").value();
  EXPECT_FALSE(other.open(sealed, "k_one"));
  EXPECT_NE(key.seal("the secret", "k_one", nonce(3)), sealed);
}

TEST(SecretsKey, OpensNothingThatWasChanged) {
  const auto key = SecretsKey::parse(kText).value();
  const std::string sealed = key.seal("the secret", "k_one", nonce(1));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed.at(i) = changed.at(i) == 'A' ? 'B' : 'A';
    EXPECT_FALSE(key.open(changed, "k_one")) << i;
    EXPECT_FALSE(key.open(sealed.substr(0, i), "k_one")) << i;
  }
}

// As AESGCM of Python's cryptography 41 gives it.
TEST(SecretsKey, IsAes256Gcm) {
  EXPECT_EQ(SecretsKey::parse(kText)->seal("abc", "owner", SecretsKey::Nonce{}),
            "1.AAAAAAAAAAAAAAAAb97WccG/QIOgrpBXwcedzmi1aw==");
}

}  // namespace
}  // namespace infra
