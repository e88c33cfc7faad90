#include "core/secrets_key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <new>
#include <vector>

namespace infra {
namespace {

using Bytes = std::vector<unsigned char>;

constexpr std::string_view kVersion = "1.";  // nonce, ciphertext and tag behind it, in base64
constexpr std::size_t kNonceBytes = std::tuple_size_v<SecretsKey::Nonce>;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kMaxText = 8192;

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* cipher) const { EVP_CIPHER_CTX_free(cipher); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string to_base64(const Bytes& bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

std::optional<Bytes> from_base64(std::string_view text) {
  if (text.empty() || text.size() > kMaxText || text.size() % 4 != 0) return std::nullopt;
  const auto padding = text.ends_with("==") ? 2U : text.ends_with("=") ? 1U : 0U;
  Bytes bytes(text.size() / 4 * 3);
  if (EVP_DecodeBlock(bytes.data(), bytes_of(text), static_cast<int>(text.size())) < 0) return std::nullopt;
  bytes.resize(bytes.size() - padding);
  if (to_base64(bytes) != text) return std::nullopt;  // spaces and loose bits, which the decoder lets pass
  return bytes;
}

// `encrypt`: 1 or 0.
Cipher begin(int encrypt, const unsigned char* key, const unsigned char* nonce, std::string_view owner) {
  Cipher cipher(EVP_CIPHER_CTX_new());
  int length = 0;
  const bool begun = cipher && EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key, nonce, encrypt) == 1 &&
                     EVP_CipherUpdate(cipher.get(), nullptr, &length, bytes_of(owner), static_cast<int>(owner.size()));
  if (!begun) throw std::bad_alloc();  // nothing else can fail here
  return cipher;
}

}  // namespace

SecretsKey::~SecretsKey() {
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

std::optional<SecretsKey> SecretsKey::parse(std::string_view text) {
  auto bytes = from_base64(text);
  if (!bytes || bytes->size() != std::tuple_size_v<decltype(bytes_)>) return std::nullopt;
  SecretsKey key;
  std::ranges::copy(*bytes, key.bytes_.begin());
  OPENSSL_cleanse(bytes->data(), bytes->size());
  return key;
}

std::string SecretsKey::make_text(const std::array<std::byte, 32>& random) {
  Bytes bytes;
  for (const auto byte : random) bytes.push_back(std::to_integer<unsigned char>(byte));
  return to_base64(bytes);
}

std::string SecretsKey::seal(std::string_view secret, std::string_view owner, const Nonce& nonce) const {
  Bytes sealed;
  for (const auto byte : nonce) sealed.push_back(std::to_integer<unsigned char>(byte));
  sealed.resize(kNonceBytes + secret.size() + kTagBytes);
  const auto cipher = begin(1, bytes_.data(), sealed.data(), owner);
  unsigned char* const text = sealed.data() + kNonceBytes;
  int length = 0;
  int rest = 0;
  const bool done =
      EVP_CipherUpdate(cipher.get(), text, &length, bytes_of(secret), static_cast<int>(secret.size())) == 1 &&
      EVP_CipherFinal_ex(cipher.get(), text + length, &rest) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, text + secret.size()) == 1;
  if (!done) throw std::bad_alloc();
  return std::string(kVersion) + to_base64(sealed);
}

std::optional<std::string> SecretsKey::open(std::string_view sealed, std::string_view owner) const {
  if (!sealed.starts_with(kVersion)) return std::nullopt;
  auto bytes = from_base64(sealed.substr(kVersion.size()));
  if (!bytes || bytes->size() < kNonceBytes + kTagBytes) return std::nullopt;
  const auto cipher = begin(0, bytes_.data(), bytes->data(), owner);
  const std::size_t size = bytes->size() - kNonceBytes - kTagBytes;
  const unsigned char* const text = bytes->data() + kNonceBytes;
  Bytes tag(text + size, text + size + kTagBytes);
  std::string secret(size, '\0');
  auto* const into = reinterpret_cast<unsigned char*>(secret.data());
  int length = 0;
  int rest = 0;
  const bool genuine = EVP_CipherUpdate(cipher.get(), into, &length, text, static_cast<int>(size)) == 1 &&
                       EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
                       EVP_CipherFinal_ex(cipher.get(), into + length, &rest) == 1;
  if (genuine) return secret;
  OPENSSL_cleanse(secret.data(), secret.size());
  return std::nullopt;
}

}  // namespace infra
