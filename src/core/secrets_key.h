// The installation's key for secrets that have to be read again: sealed by AES-256-GCM (NIST SP 800-38D), each for one
// owner, so that what is sealed for one opens for no other.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace infra {

// Any thread. Its bytes are wiped at its end.
class SecretsKey {
 public:
  using Nonce = std::array<std::byte, 12>;  // random: no two of a key's may be the same

  // 32 bytes in base64, as `openssl rand -base64 32` prints them. Nullopt for anything else.
  [[nodiscard]] static std::optional<SecretsKey> parse(std::string_view text);
  [[nodiscard]] static std::string make_text(const std::array<std::byte, 32>& random);

  SecretsKey(const SecretsKey&) = default;
  SecretsKey& operator=(const SecretsKey&) = default;
  ~SecretsKey();

  [[nodiscard]] std::string seal(std::string_view secret, std::string_view owner, const Nonce& nonce) const;
  // Nullopt for what this key has not sealed for that owner, or what was changed since.
  [[nodiscard]] std::optional<std::string> open(std::string_view sealed, std::string_view owner) const;

 private:
  SecretsKey() = default;
  std::array<unsigned char, 32> bytes_{};
};

}  // namespace infra
