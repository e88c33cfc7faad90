// Keys from their making to their end: what is stored of them, how soon every controller knows of a change, and what a
// change that broke off leaves.
#include "app/keys.h"

#include <gmock/gmock.h>

#include "support/fake_configuration.h"
#include "support/manual_clock.h"
#include "support/run_task.h"
#include "support/spawning_executor.h"

namespace infra::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class KeysTest : public ::testing::Test {
 protected:
  ToldKey made(const std::string& name = "ci") {
    auto made = run_task(keys_.make({.name = name, .scopes = Scopes(Scope::invoke)}));
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  // Whether it works at a controller, by the code of the error or the key's id.
  static std::string at(KnownKeys& controller, const std::string& text, bool may_ask = true) {
    const auto found = run_task(controller.find(*parse_api_key(text), may_ask));
    if (!found) return found.error().code;
    return *found ? (*found)->id : "none";
  }
  std::string refusal(WantedKey wanted) {
    const auto refused = run_task(keys_.make(std::move(wanted)));
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "invalid_key");
    return refused.error().message;
  }

  fakes::WriteBudget budget_;
  fakes::FakeConfiguration store_{budget_};
  ManualClock clock_;
  fakes::CountingRandom random_;
  fakes::SpawningExecutor executor_;
  IdSource ids_{clock_, random_};
  KnownKeys known_{&store_, ids_, executor_, clock_};
  KnownKeys elsewhere_{&store_, ids_, executor_, clock_};
  Keys keys_{&store_, known_, ids_, random_, clock_};
};

TEST_F(KeysTest, TheSecretIsToldOnceAndNeverStored) {
  const auto told = made();
  EXPECT_EQ(at(known_, told.text), told.key.id);
  EXPECT_EQ(at(elsewhere_, told.text), told.key.id);
  ASSERT_THAT(store_.items, SizeIs(1));
  const std::string secret = parse_api_key(told.text)->secret;
  for (const auto& [name, value] : store_.items.begin()->second.attributes) {
    if (const auto* text = std::get_if<std::string>(&value)) EXPECT_THAT(*text, Not(HasSubstr(secret))) << name;
  }
  std::string other = told.text;
  other.back() = other.back() == 'A' ? 'E' : 'A';
  EXPECT_EQ(at(known_, other), "none");
}

TEST_F(KeysTest, WhereThereIsASecretsKeyTheSecretIsSealedForItsKey) {
  const auto secrets = SecretsKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
  Keys sealing(&store_, known_, ids_, random_, clock_, secrets);
  const auto told = run_task(sealing.make({.name = "signs", .scopes = Scopes(Scope::invoke)})).value();
  const auto second = run_task(sealing.rotate(told.key.id)).value();
  const ApiKey key = run_task(sealing.find(told.key.id)).value();
  EXPECT_EQ(secrets->open(key.old_sealed, key.id), parse_api_key(told.text)->secret);
  EXPECT_EQ(secrets->open(key.sealed, key.id), parse_api_key(second.text)->secret);
  EXPECT_TRUE(sealing.can_sign(key));
  EXPECT_FALSE(keys_.can_sign(key)) << "there is no key to open it with";
  EXPECT_TRUE(run_task(sealing.drop_old(key.id))->old_sealed.empty());

  const ApiKey plain = made().key;
  EXPECT_FALSE(sealing.can_sign(plain)) << "it was made without";
  ASSERT_TRUE(run_task(sealing.rotate(plain.id)));
  EXPECT_TRUE(sealing.can_sign(run_task(sealing.find(plain.id)).value()));
}

TEST_F(KeysTest, ARowKeepsAllOfAKey) {
  ApiKey key{.id = "k_aaaaaaaaaaaa", .name = "a key", .scopes = Scopes(Scope::deploy)};
  key.functions = FunctionList{{"a"}, {"b"}};
  key.rate_limit = 7;
  key.expires_at = WallTime{milliseconds{5001}};
  key.created_at = WallTime{milliseconds{2}};
  key.last_used_at = WallTime{milliseconds{3}};
  key.revoked_at = WallTime{milliseconds{4}};
  key.digest = secret_digest("x");
  key.old_digest = secret_digest("y");
  key.sealed = "1.a";
  key.old_sealed = "1.b";
  const auto read = to_key_row(to_item({.key = key, .mark = "m"}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->mark, "m");
  EXPECT_EQ(read->key.id, key.id);
  EXPECT_EQ(read->key.name, key.name);
  EXPECT_EQ(read->key.scopes, key.scopes);
  EXPECT_EQ(read->key.functions, key.functions);
  EXPECT_EQ(read->key.rate_limit, key.rate_limit);
  EXPECT_EQ(read->key.expires_at, key.expires_at);
  EXPECT_EQ(read->key.created_at, key.created_at);
  EXPECT_EQ(read->key.last_used_at, key.last_used_at);
  EXPECT_EQ(read->key.revoked_at, key.revoked_at);
  EXPECT_EQ(read->key.digest, key.digest);
  EXPECT_EQ(read->key.old_digest, key.old_digest);
  EXPECT_EQ(read->key.sealed, key.sealed);
  EXPECT_EQ(read->key.old_sealed, key.old_sealed);
}

TEST_F(KeysTest, WhatCanBeNoKeyNamesItsField) {
  const Scopes invoke(Scope::invoke);
  EXPECT_THAT(refusal({.name = "", .scopes = invoke}), HasSubstr("name"));
  EXPECT_THAT(refusal({.name = std::string(129, 'a'), .scopes = invoke}), HasSubstr("name"));
  EXPECT_THAT(refusal({.name = "a\nb", .scopes = invoke}), HasSubstr("name"));
  EXPECT_THAT(refusal({.name = "a", .scopes = {}}), HasSubstr("scopes"));
  EXPECT_THAT(refusal({.name = "a", .scopes = invoke, .functions = FunctionList{}}), HasSubstr("functions"));
  EXPECT_THAT(refusal({.name = "a", .scopes = invoke, .functions = FunctionList{{"a b"}}}), HasSubstr("functions"));
  EXPECT_THAT(refusal({.name = "a", .scopes = Scopes(Scope::admin), .functions = FunctionList{{"a"}}}),
              HasSubstr("admin"));
  EXPECT_THAT(refusal({.name = "a", .scopes = invoke, .rate_limit = 0}), HasSubstr("rateLimit"));
  EXPECT_THAT(refusal({.name = "a", .scopes = invoke, .expires_at = clock_.now()}), HasSubstr("expiresAt"));
}

TEST_F(KeysTest, ARevokedKeyIsRefusedHereAtOnceAndElsewhereWithinFiveSeconds) {
  const auto told = made();
  ASSERT_EQ(at(known_, told.text), told.key.id);
  ASSERT_EQ(at(elsewhere_, told.text), told.key.id);
  ASSERT_TRUE(run_task(keys_.revoke(told.key.id)));
  EXPECT_EQ(at(known_, told.text), "none");
  clock_.advance(std::chrono::seconds{5});
  EXPECT_EQ(at(elsewhere_, told.text), "none");
  EXPECT_EQ(run_task(keys_.revoke(told.key.id)).error().code, "key_not_found");
  const auto listed = run_task(keys_.list());
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_TRUE(listed->front().revoked_at);
}

TEST_F(KeysTest, AnExpiredKeyIsNone) {
  const auto told = run_task(
      keys_.make({.name = "a", .scopes = Scopes(Scope::read), .expires_at = clock_.now() + milliseconds{1000}}));
  EXPECT_EQ(at(known_, told->text), told->key.id);
  clock_.advance(milliseconds{1000});
  EXPECT_EQ(at(known_, told->text), "none");
}

TEST_F(KeysTest, TwoSecretsAreValidUntilTheOlderIsDropped) {
  const auto first = made();
  const auto second = run_task(keys_.rotate(first.key.id));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->key.id, first.key.id);
  EXPECT_EQ(at(known_, first.text), first.key.id);
  EXPECT_EQ(at(known_, second->text), first.key.id);
  EXPECT_EQ(run_task(keys_.rotate(first.key.id)).error().code, "old_secret_kept");
  ASSERT_TRUE(run_task(keys_.drop_old(first.key.id)));
  EXPECT_EQ(at(known_, first.text), "none");
  EXPECT_EQ(at(known_, second->text), first.key.id);
  EXPECT_EQ(run_task(keys_.drop_old(first.key.id)).error().code, "old_secret_not_found");
}

TEST_F(KeysTest, ReadsAreFew) {
  const auto told = made();
  ASSERT_EQ(at(known_, told.text), told.key.id);  // and notes its use, a minute's only write
  clock_.advance(KnownKeys::kTrusted);
  ASSERT_EQ(at(known_, told.text), told.key.id);
  const int reads = store_.reads;
  const auto item = store_.items.begin()->second;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(at(known_, told.text), told.key.id);
  EXPECT_EQ(store_.reads, reads);
  EXPECT_EQ(store_.items.begin()->second, item);
  const std::string unknown = "k_aaaaaaaaaaaa." + std::string(43, 'A');
  for (int i = 0; i < 100; ++i) EXPECT_EQ(at(known_, unknown), "none");
  EXPECT_EQ(store_.reads, reads + 1);
}

TEST_F(KeysTest, WhoGuessesCostsNoReadAndAKeyThatIsKnownWorksAllTheSame) {
  const auto told = made();
  ASSERT_EQ(at(known_, told.text), told.key.id);
  clock_.advance(std::chrono::seconds{10});
  const int reads = store_.reads;
  EXPECT_EQ(at(known_, "k_bbbbbbbbbbbb." + std::string(43, 'A'), false), "none");
  EXPECT_EQ(store_.reads, reads);
  EXPECT_EQ(at(known_, told.text, false), told.key.id);
}

TEST_F(KeysTest, ItsUseIsNotedOnceAMinute) {
  const auto told = made();
  const auto used = [&] { return run_task(keys_.find(told.key.id))->last_used_at; };
  EXPECT_FALSE(used());
  at(known_, told.text);
  const auto first = used();
  EXPECT_EQ(first, clock_.now());
  clock_.advance(std::chrono::seconds{30});
  at(known_, told.text);
  EXPECT_EQ(used(), first);
  clock_.advance(std::chrono::seconds{31});
  at(known_, told.text);
  EXPECT_EQ(used(), clock_.now());
}

TEST_F(KeysTest, AChangeThatMeetsAnotherIsMadeOnTopOfIt) {
  const auto told = made();
  budget_.another = [&] { at(elsewhere_, told.text); };  // notes the use between the read and the write
  budget_.calls_before_another = 1;
  ASSERT_TRUE(run_task(keys_.revoke(told.key.id)));
  const auto listed = run_task(keys_.list());
  EXPECT_TRUE(listed->front().revoked_at);
  EXPECT_TRUE(listed->front().last_used_at);
}

TEST_F(KeysTest, WhereTheStoreIsAwayAKeyIsNeitherRightNorWrong) {
  const auto told = made();
  budget_.left = 0;
  EXPECT_EQ(at(known_, told.text), "engine_unavailable");
  EXPECT_FALSE(run_task(keys_.revoke(told.key.id)));
  budget_ = {};
  EXPECT_EQ(at(known_, told.text), told.key.id);
}

TEST_F(KeysTest, WithoutAStoreThereAreNone) {
  KnownKeys known(nullptr, ids_, executor_, clock_);
  Keys keys(nullptr, known, ids_, random_, clock_);
  EXPECT_EQ(at(known, "k_bbbbbbbbbbbb." + std::string(43, 'A')), "none");
  EXPECT_EQ(run_task(keys.list()).error().code, "configuration_absent");
  EXPECT_EQ(run_task(keys.make({.name = "a", .scopes = Scopes(Scope::read)})).error().code, "configuration_absent");
}

}  // namespace
}  // namespace infra::app
