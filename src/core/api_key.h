// Keys beside the master key: what they are called, what they allow, and how their secret is made and known again: by
// its digest. Where there is a SecretsKey the secret is stored as well, sealed, for those who sign requests with it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/ids.h"
#include "core/time.h"

namespace infra {

enum class Scope : std::uint8_t {
  any = 0,  // nothing but a key that is right
  invoke = 1,
  read = 2,
  deploy = 4,
  admin = 8  // all the others as well
};

[[nodiscard]] std::string_view to_string(Scope scope);

class Scopes {
 public:
  constexpr Scopes() = default;
  constexpr explicit Scopes(Scope scope) : bits_(static_cast<std::uint8_t>(scope)) {}

  constexpr void add(Scope scope) { bits_ |= static_cast<std::uint8_t>(scope); }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  [[nodiscard]] constexpr bool has(Scope scope) const { return (bits_ & static_cast<std::uint8_t>(scope)) != 0; }
  [[nodiscard]] constexpr bool allow(Scope scope) const {
    return scope == Scope::any || has(scope) || has(Scope::admin);
  }
  // Their names, in the order above.
  [[nodiscard]] std::vector<std::string_view> names() const;
  // False if it is the name of none.
  [[nodiscard]] bool add_named(std::string_view name);

  bool operator==(const Scopes&) const = default;

 private:
  std::uint8_t bits_ = 0;
};

// In order, no id twice.
using FunctionList = std::vector<FunctionId>;

struct ApiKey {
  std::string id{};
  std::string name{};  // for people: several may have the same
  Scopes scopes{};
  std::optional<FunctionList> functions{};  // nullopt: all
  std::optional<int> rate_limit{};          // requests in the platform's window; nullopt: the address's
  std::optional<WallTime> expires_at{};
  WallTime created_at{};
  std::optional<WallTime> last_used_at{};  // to the minute
  std::optional<WallTime> revoked_at{};
  std::string digest{};      // of its secret, as secret_digest() has it
  std::string old_digest{};  // of the one before, while that is valid too; empty: there is none
  std::string sealed{};      // the secret, by SecretsKey for the id; empty: there was no such key when it was made
  std::string old_sealed{};  // the same of the one before

  [[nodiscard]] bool is_valid(WallTime now) const { return !revoked_at && (!expires_at || now < *expires_at); }
};

// Null: all functions are.
[[nodiscard]] bool is_among(const FunctionList* functions, const FunctionId& id);
// What a key is told of a function that is not among its own, whether or not there is such a function.
[[nodiscard]] Error function_not_allowed();

// What a request shows: "ID.SECRET".
struct PresentedKey {
  std::string id;
  std::string secret;
};

// Nullopt for what no key of ours looks like, so that no store need be asked for it.
[[nodiscard]] std::optional<PresentedKey> parse_api_key(std::string_view text);

// "k_" and 12 of a-z2-7.
[[nodiscard]] bool is_api_key_id(std::string_view text);
[[nodiscard]] std::string make_api_key_id(const std::array<std::byte, 12>& random);
// 43 characters of base64url.
[[nodiscard]] std::string make_api_key_secret(const std::array<std::byte, 32>& random);

// SHA-256 in hex.
[[nodiscard]] std::string secret_digest(std::string_view secret);
// Whether it is one of the key's secrets; takes as long for any that is not.
[[nodiscard]] bool opens(const ApiKey& key, std::string_view secret);

}  // namespace infra
