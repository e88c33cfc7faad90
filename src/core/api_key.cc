#include "core/api_key.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "core/error_codes.h"
#include "core/sha256.h"

namespace infra {
namespace {

constexpr std::string_view kIdPrefix = "k_";
constexpr std::size_t kIdLetters = 12;
constexpr std::size_t kSecretLetters = 43;  // 32 bytes, six bits each
constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";  // RFC 4648, 5

constexpr std::array<std::pair<Scope, std::string_view>, 4> kScopes = {
    {{Scope::invoke, "invoke"}, {Scope::read, "read"}, {Scope::deploy, "deploy"}, {Scope::admin, "admin"}}};

bool consists_of(std::string_view text, std::string_view letters) {
  return text.find_first_not_of(letters) == std::string_view::npos;
}

bool same(std::string_view digest, std::string_view other) {
  return digest.size() == other.size() && CRYPTO_memcmp(digest.data(), other.data(), digest.size()) == 0;
}

}  // namespace

std::string_view to_string(Scope scope) {
  const auto* const found = std::ranges::find(kScopes, scope, &std::pair<Scope, std::string_view>::first);
  return found == kScopes.end() ? "any" : found->second;
}

std::vector<std::string_view> Scopes::names() const {
  std::vector<std::string_view> names;
  for (const auto& [scope, name] : kScopes) {
    if (has(scope)) names.push_back(name);
  }
  return names;
}

bool Scopes::add_named(std::string_view name) {
  const auto* const found = std::ranges::find(kScopes, name, &std::pair<Scope, std::string_view>::second);
  if (found == kScopes.end()) return false;
  add(found->first);
  return true;
}

bool is_among(const FunctionList* functions, const FunctionId& id) {
  return functions == nullptr || std::ranges::binary_search(*functions, id);
}

Error function_not_allowed() {
  return {errors::key_not_allowed, "The key is for certain functions, and this one is not among them."};
}

std::optional<PresentedKey> parse_api_key(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos || !is_api_key_id(text.substr(0, dot))) return std::nullopt;
  const auto secret = text.substr(dot + 1);
  if (secret.size() != kSecretLetters || !consists_of(secret, kBase64Url)) return std::nullopt;
  return PresentedKey{.id = std::string(text.substr(0, dot)), .secret = std::string(secret)};
}

bool is_api_key_id(std::string_view text) {
  return text.size() == kIdPrefix.size() + kIdLetters && text.starts_with(kIdPrefix) &&
         consists_of(text.substr(kIdPrefix.size()), kBase32);
}

std::string make_api_key_id(const std::array<std::byte, 12>& random) {
  std::string id(kIdPrefix);
  for (const auto byte : random) id += kBase32[static_cast<unsigned char>(byte) % kBase32.size()];
  return id;
}

std::string make_api_key_secret(const std::array<std::byte, 32>& random) {
  std::string text;
  std::uint32_t bits = 0;
  int held = 0;
  for (const auto byte : random) {
    bits = (bits << 8) | static_cast<unsigned char>(byte);
    for (held += 8; held >= 6; held -= 6) text += kBase64Url[(bits >> (held - 6)) & 63];
  }
  text += kBase64Url[(bits << (6 - held)) & 63];
  return text;
}

std::string secret_digest(std::string_view secret) {
  return sha256_of(secret);
}

bool opens(const ApiKey& key, std::string_view secret) {
  const std::string digest = secret_digest(secret);
  const bool newer = same(digest, key.digest);
  const bool older = same(digest, key.old_digest);
  return newer || older;
}

}  // namespace infra
