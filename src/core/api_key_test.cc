// Keys as text: what is made is read, and nothing else is; secrets are known by their digests alone.
#include "core/api_key.h"

#include <gmock/gmock.h>

namespace infra {
namespace {

using ::testing::ElementsAre;

template <std::size_t N>
std::array<std::byte, N> bytes(int first) {
  std::array<std::byte, N> random;
  for (auto& byte : random) byte = static_cast<std::byte>(first += 37);
  return random;
}

TEST(ApiKey, WhatIsMadeIsRead) {
  for (const int seed : {0, 1, 99, 255}) {
    const std::string id = make_api_key_id(bytes<12>(seed));
    const std::string secret = make_api_key_secret(bytes<32>(seed));
    EXPECT_EQ(id.size(), 14U);
    EXPECT_EQ(secret.size(), 43U);
    const auto read = parse_api_key(id + "." + secret);
    ASSERT_TRUE(read) << id << "." << secret;
    EXPECT_EQ(read->id, id);
    EXPECT_EQ(read->secret, secret);
  }
  EXPECT_EQ(make_api_key_secret({}), std::string(43, 'A'));
}

TEST(ApiKey, WhatLooksLikeNoneIsNone) {
  const std::string id = make_api_key_id(bytes<12>(3));
  const std::string secret = make_api_key_secret(bytes<32>(3));
  for (const std::string& text :
       {std::string(), std::string("."), id, secret, id + ".", id + secret, id + "." + secret + "A",
        id + "." + secret.substr(1), "K_" + id.substr(2) + "." + secret, id.substr(0, 13) + "1." + secret,
        id + "." + secret.substr(1) + "=", id + ".." + secret.substr(1), " " + id + "." + secret}) {
    EXPECT_FALSE(parse_api_key(text)) << text;
  }
}

TEST(ApiKey, EachOfItsSecretsOpensIt) {
  ApiKey key;
  key.digest = secret_digest("new");
  EXPECT_TRUE(opens(key, "new"));
  EXPECT_FALSE(opens(key, "old"));
  EXPECT_FALSE(opens(key, ""));
  key.old_digest = secret_digest("old");
  EXPECT_TRUE(opens(key, "new"));
  EXPECT_TRUE(opens(key, "old"));
  EXPECT_FALSE(opens(key, key.digest)) << "what is stored opens nothing";
  EXPECT_FALSE(opens(ApiKey{}, ""));
}

TEST(ApiKey, ScopesStandAloneAndAdminIsAllOfThem) {
  Scopes scopes;
  EXPECT_TRUE(scopes.empty());
  EXPECT_TRUE(scopes.allow(Scope::any));
  EXPECT_TRUE(scopes.add_named("read"));
  EXPECT_TRUE(scopes.add_named("invoke"));
  EXPECT_FALSE(scopes.add_named("any"));
  EXPECT_FALSE(scopes.add_named("Admin"));
  EXPECT_THAT(scopes.names(), ElementsAre("invoke", "read"));
  EXPECT_TRUE(scopes.allow(Scope::read));
  EXPECT_FALSE(scopes.allow(Scope::deploy));
  EXPECT_FALSE(scopes.allow(Scope::admin));
  for (const auto scope : {Scope::any, Scope::invoke, Scope::read, Scope::deploy, Scope::admin})
    EXPECT_TRUE(Scopes(Scope::admin).allow(scope)) << to_string(scope);
}

TEST(ApiKey, IsValidUntilItExpiresOrIsRevoked) {
  const WallTime now{milliseconds{1'000'000}};
  ApiKey key;
  EXPECT_TRUE(key.is_valid(now));
  key.expires_at = now + milliseconds{1};
  EXPECT_TRUE(key.is_valid(now));
  EXPECT_FALSE(key.is_valid(now + milliseconds{1}));
  key.expires_at.reset();
  key.revoked_at = now;
  EXPECT_FALSE(key.is_valid(now));
}

}  // namespace
}  // namespace infra
