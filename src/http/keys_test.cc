// Named keys at the door: what each scope may, what a key for certain functions learns of the others, how soon one that
// is revoked is refused, and what the audit has of it all.
#include <gmock/gmock.h>

#include "app/known_keys.h"
#include "core/error_codes.h"
#include "http/test_api.h"
#include "http/test_form.h"

namespace infra::http {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class KeyRoutes : public ::testing::Test {
 protected:
  Answer made(const std::string& body) {
    api_.clock.advance(milliseconds{1});  // ids are of the time, and of a randomness that soon comes round again
    return api_.send_json("POST", "/keys", body);
  }
  // The text of a key with these scopes; `more` are further members.
  std::string key(const std::string& scopes, const std::string& more = "") {
    const auto answer = made(R"({"name":"k","scopes":)" + scopes + more + "}");
    EXPECT_EQ(answer.status, 201) << answer.body;
    return answer.text("key");
  }
  static std::string id_of(const std::string& key) { return key.substr(0, key.find('.')); }
  Answer with(const std::string& key, Sent sent) {
    sent.key = key;
    return api_.send(sent);
  }
  Answer get(const std::string& key, std::string target) { return with(key, {.target = std::move(target)}); }
  Answer run(const std::string& key, const std::string& function) {
    return with(key, json_request("POST", "/run", R"({"functionId":")" + function + R"("})"));
  }
  // "action outcome target" of the audit's entries, newest first.
  std::vector<std::string> audited() {
    std::vector<std::string> lines;
    const auto json = api_.get("/audit").json();
    for (const auto& entry : json.at("entries").as_array()) {
      const auto& target = entry.at("target");
      lines.push_back(std::string(entry.at("action").as_string()) + " " + std::string(entry.at("outcome").as_string()) +
                      " " + (target.is_null() ? "-" : std::string(target.as_string())));
    }
    return lines;
  }

  TestApi api_;
};

TEST_F(KeyRoutes, AKeyIsMadeListedAndRevoked) {
  const auto answer = made(R"({"name":"ci","scopes":["read","invoke"],"rateLimit":5,"functions":["b","a","a"],)"
                           R"("expiresAt":"2099-01-01T00:00:00Z"})");
  ASSERT_EQ(answer.status, 201) << answer.body;
  const std::string id = answer.text("id");
  EXPECT_TRUE(is_api_key_id(id));
  EXPECT_EQ(id_of(answer.text("key")), id);
  const auto listed = api_.get("/keys");
  EXPECT_THAT(listed.body, Not(HasSubstr(answer.text("key"))));
  const auto row = listed.json().at("keys").as_array().at(0);
  EXPECT_EQ(boost::json::serialize(row.at("scopes")), R"(["invoke","read"])");
  EXPECT_EQ(boost::json::serialize(row.at("functions")), R"(["a","b"])");
  EXPECT_EQ(row.at("rateLimit"), 5);
  EXPECT_EQ(row.at("expiresAt"), "2099-01-01T00:00:00.000Z");
  EXPECT_TRUE(row.at("lastUsedAt").is_null());
  EXPECT_EQ(row.at("revoked"), false);
  const auto revoked = api_.send({.method = "DELETE", .target = "/keys/" + id});
  ASSERT_EQ(revoked.status, 200);
  EXPECT_EQ(revoked.text("deletedId"), id);
  EXPECT_EQ(api_.get("/keys").json().at("keys").as_array().at(0).at("revoked"), true);
  expect_error(api_.send({.method = "DELETE", .target = "/keys/" + id}), 404, "key_not_found");
  expect_error(api_.send({.method = "DELETE", .target = "/keys/none"}), 404, "key_not_found");
}

TEST_F(KeyRoutes, WhatCantBeAKeyNamesItsField) {
  for (const auto& [body, says] : std::initializer_list<std::pair<std::string, std::string>>{
           {R"({"scopes":["read"]})", "name"},
           {R"({"name":1,"scopes":["read"]})", "name"},
           {R"({"name":"a"})", "scopes"},
           {R"({"name":"a","scopes":"read"})", "scopes"},
           {R"({"name":"a","scopes":["all"]})", "scopes"},
           {R"({"name":"a","scopes":["read"],"functions":[]})", "functions"},
           {R"({"name":"a","scopes":["read"],"functions":["a b"]})", "functions"},
           {R"({"name":"a","scopes":["admin"],"functions":["a"]})", "admin"},
           {R"({"name":"a","scopes":["read"],"rateLimit":0})", "rateLimit"},
           {R"({"name":"a","scopes":["read"],"rateLimit":1.5})", "rateLimit"},
           {R"({"name":"a","scopes":["read"],"expiresAt":"soon"})", "expiresAt"},
           {R"({"name":"a","scopes":["read"],"expiresAt":"2001-01-01"})", "expiresAt"},
           {R"({"name":"a","scopes":["read"],"scope":"x"})", "scope is no field"}}) {
    expect_error(made(body), 400, "invalid_key", says);
  }
  expect_error(api_.send({.method = "POST", .target = "/keys", .body = "x"}), 415, "unsupported_media_type");
}

TEST_F(KeyRoutes, EachRouteAsksForItsScope) {
  std::map<Scope, std::string> keys;
  for (const auto scope : {Scope::invoke, Scope::read, Scope::deploy, Scope::admin})
    keys[scope] = key(R"([")" + std::string(to_string(scope)) + R"("])");
  for (const Route& route : api_.routes()) {
    if (route.access != Access::key) continue;
    std::string target(route.pattern);
    for (auto at = target.find('/'); at != std::string::npos; at = target.find('/', at + 1)) {
      if (target[at + 1] == ':' || target[at + 1] == '*') target.replace(at + 1, 1, "x");
    }
    for (const auto& [scope, text] : keys) {
      SCOPED_TRACE(std::string(route.method) + " " + target + " with " + std::string(to_string(scope)));
      const auto answer = with(text, {.method = std::string(route.method), .target = target});
      if (Scopes(scope).allow(route.scope)) {
        EXPECT_THAT(answer.status, Not(AnyOf(401, 403))) << answer.body;
      } else {
        expect_error(answer, 403, "key_not_allowed", to_string(route.scope));
        EXPECT_FALSE(answer.body_was_read);
      }
    }
  }
  expect_error(get(keys[Scope::read], "/nope"), 404, "unknown_route");
}

TEST_F(KeyRoutes, WhoAmI) {
  const auto master = api_.get("/whoami");
  EXPECT_EQ(master.body, R"({"key":"master","name":"master","scopes":["admin"],"functions":null})");
  const std::string mine = key(R"(["invoke"])", R"(,"functions":["f"])");
  EXPECT_EQ(get(mine, "/whoami").body,
            R"({"key":")" + id_of(mine) + R"(","name":"k","scopes":["invoke"],"functions":["f"]})");
  EXPECT_EQ(api_.send({.target = "/whoami", .headers = {{"Authorization", "Bearer " + mine}}, .key = {}}).status, 200);
}

TEST_F(KeyRoutes, AWrongSecretAnUnknownIdAndARevokedKeyAreTheSame) {
  const std::string mine = key(R"(["read"])");
  EXPECT_EQ(get(mine, "/functions").status, 200);
  std::string wrong = mine;
  wrong.back() = wrong.back() == 'A' ? 'E' : 'A';
  const auto refused = get(wrong, "/functions");
  expect_error(refused, 401, "unauthorized", "key is wrong");
  EXPECT_EQ(get("k_aaaaaaaaaaaa." + std::string(43, 'A'), "/functions").error(), refused.error());
  ASSERT_EQ(api_.send({.method = "DELETE", .target = "/keys/" + id_of(mine)}).status, 200);
  EXPECT_EQ(get(mine, "/functions").error(), refused.error());
}

TEST_F(KeyRoutes, BothSecretsWorkUntilTheOlderIsDropped) {
  const std::string first = key(R"(["read"])");
  const std::string path = "/keys/" + id_of(first);
  const std::string second = api_.send({.method = "POST", .target = path + "/rotate"}).text("key");
  EXPECT_EQ(id_of(second), id_of(first));
  EXPECT_EQ(get(first, "/whoami").status, 200);
  EXPECT_EQ(get(second, "/whoami").status, 200);
  expect_error(api_.send({.method = "POST", .target = path + "/rotate"}), 409, "old_secret_kept");
  ASSERT_EQ(api_.send({.method = "DELETE", .target = path + "/secrets/old"}).status, 200);
  EXPECT_EQ(get(first, "/whoami").status, 401);
  EXPECT_EQ(get(second, "/whoami").status, 200);
  expect_error(api_.send({.method = "DELETE", .target = path + "/secrets/old"}), 404, "old_secret_not_found");
}

TEST_F(KeyRoutes, AKeyForCertainFunctionsLearnsNothingOfOthers) {
  api_.add_function("mine");
  api_.add_function("other");
  const std::string some = key(R"(["invoke","read","deploy"])", R"(,"functions":["gone","mine"])");
  EXPECT_EQ(run(some, "mine").status, 200);
  EXPECT_EQ(get(some, "/functions/mine").status, 200);
  EXPECT_EQ(get(some, "/functions/gone").status, 404);
  const auto listed = get(some, "/functions").json();
  ASSERT_EQ(listed.as_array().size(), 1U);
  EXPECT_EQ(listed.as_array()[0].at("functionId"), "mine");
  std::vector<std::string> told;
  for (const char* function : {"other", "none", "name:none", "name:other"}) {
    SCOPED_TRACE(function);
    const std::string path = "/functions/" + std::string(function);
    for (const auto& answer : {run(some, function), get(some, path), get(some, path + "/logs"),
                               get(some, path + "/advice"), with(some, {.method = "DELETE", .target = path}),
                               with(some, json_request("PUT", path, R"({"memoryMb":256})"))}) {
      expect_error(answer, 403, "key_not_allowed");
      told.push_back(answer.error());
    }
  }
  for (const auto& sentence : told) EXPECT_EQ(sentence, told.front());
  EXPECT_TRUE(api_.functions.rows.contains({"other"}));
  for (const char* path : {"/workers", "/metrics", "/system/status", "/logs?format=native"})
    expect_error(get(some, path), 403, "key_not_allowed");
  run(std::string(kKey), "other");
  EXPECT_THAT(get(some, "/logs").body, Not(HasSubstr("other")));
  EXPECT_THAT(get(some, "/logs").body, HasSubstr("mine"));
}

TEST_F(KeyRoutes, AKeyForCertainFunctionsDeploysNoOther) {
  const auto deploy = [&](const std::string& key, const std::string& name, bool by_name = true) {
    Sent sent = form_request(
        "POST", "/upload", {{"deploy", {}, by_name ? "true" : "false"}, {"name", {}, name}, {"file", "c.zip", "PK a"}});
    return with(key, sent);
  };
  const std::string id = deploy(std::string(kKey), "a").text("functionId");
  ASSERT_EQ(deploy(std::string(kKey), "b").status, 200);
  const std::string some = key(R"(["deploy"])", R"(,"functions":[")" + id + R"("])");
  EXPECT_EQ(deploy(some, "a").status, 200);
  expect_error(deploy(some, "b"), 403, "key_not_allowed");
  expect_error(deploy(some, "c"), 403, "key_not_allowed");
  expect_error(deploy(some, "a", false), 403, "key_not_allowed");
  EXPECT_EQ(api_.functions.rows.size(), 2U);
}

TEST_F(KeyRoutes, ItsOwnRateCountsInPlaceOfTheAddresses) {
  TestApi api({.rate = {.limit = 2}});
  api.add_function("f");
  const auto made = [&](const std::string& more) {
    api.clock.advance(milliseconds{1});
    const auto answer = api.send_json("POST", "/keys", R"({"name":"a","scopes":["invoke"])" + more + "}");
    EXPECT_EQ(answer.status, 201) << answer.body;
    return answer.text("key");
  };
  const auto run = [&](const std::string& key, const char* peer) {
    Sent sent = json_request("POST", "/run", R"({"functionId":"f"})");
    sent.key = key;
    sent.peer = peer;
    return api.send(sent);
  };
  const std::string own = made(R"(,"rateLimit":3)");
  const std::string plain = made("");
  expect_error(run(plain, "192.0.2.1"), 429, "rate_limited");  // its two are spent on making them
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(own, i == 0 ? "192.0.2.1" : "192.0.2.7").status, 200);
  const auto refused = run(own, "192.0.2.9");
  expect_error(refused, 429, "rate_limited", "at most 3");
  EXPECT_EQ(refused.header("X-RateLimit-Limit"), "3");
  EXPECT_EQ(run(plain, "192.0.2.7").status, 200);
}

TEST_F(KeyRoutes, WhoGuessesIsRefusedWithoutAReadAndOthersAreNot) {
  TestApi api({.rate = {.limit = 3}});
  const std::string mine = api.send_json("POST", "/keys", R"({"name":"a","scopes":["read"]})").text("key");
  const auto guess = [&](char letter, const char* peer) {
    return api.send(
        {.target = "/functions", .key = "k_" + std::string(12, letter) + "." + std::string(43, 'A'), .peer = peer});
  };
  for (const char letter : {'a', 'b', 'c'}) expect_error(guess(letter, "192.0.2.1"), 401, "unauthorized");
  expect_error(guess('d', "192.0.2.1"), 429, "rate_limited");
  const int reads = api.configuration.reads;
  for (const char letter : {'e', 'f', 'g'}) expect_error(guess(letter, "192.0.2.1"), 429, "rate_limited");
  EXPECT_EQ(api.configuration.reads, reads);
  EXPECT_EQ(api.send({.target = "/functions", .key = mine, .peer = "192.0.2.2"}).status, 200);
  EXPECT_EQ(api.send({.target = "/functions", .key = mine, .peer = "192.0.2.1"}).status, 200) << "known here";
}

TEST_F(KeyRoutes, ValuesOfTheEnvironmentAreForDeployAndOnItsWord) {
  api_.add_function("f").env = {{"TOKEN", "hidden"}};
  const std::string read = key(R"(["read"])");
  const std::string both = key(R"(["read","deploy"])");
  for (const auto& answer : {api_.get("/functions/f"), get(read, "/functions/f"), get(both, "/functions/f")}) {
    EXPECT_THAT(answer.body, HasSubstr(R"("envVars":{"TOKEN":null})"));
    EXPECT_THAT(answer.body, Not(HasSubstr("hidden")));
  }
  for (const auto& key : {read, both, std::string(kKey)})
    EXPECT_THAT(get(key, "/functions?showEnv=true").body, Not(HasSubstr("hidden")));
  expect_error(get(read, "/functions/f?showEnv=true"), 403, "key_not_allowed", "deploy");
  EXPECT_THAT(audited(), ::testing::Contains("GET /functions/:id key_not_allowed f"));
  EXPECT_THAT(get(both, "/functions/f?showEnv=true").body, HasSubstr(R"("envVars":{"TOKEN":"hidden"})"));
  EXPECT_THAT(api_.get("/functions/f?showEnv=true").body, HasSubstr("hidden"));
  EXPECT_THAT(audited(), ::testing::Contains("function.show_env done f"));
}

TEST_F(KeyRoutes, ChangesAndRefusalsAreAudited) {
  api_.add_function("f").env = {{"TOKEN", "hidden"}};
  const std::string mine = key(R"(["deploy"])");
  api_.clock.advance(milliseconds{1});
  ASSERT_EQ(with(mine, json_request("PUT", "/functions/f", R"({"memoryMb":256})")).status, 200);
  api_.clock.advance(milliseconds{1});
  expect_error(with(mine, json_request("PUT", "/functions/none", R"({"memoryMb":256})")), 404, "function_not_found");
  api_.clock.advance(milliseconds{1});
  ASSERT_EQ(api_.send({.method = "DELETE", .target = "/functions/f"}).status, 200);
  EXPECT_THAT(audited(), ElementsAre("function.delete done f", "function.update function_not_found none",
                                     "function.update done f", "key.create done " + id_of(mine)));
  const auto entries = api_.get("/audit").json().at("entries").as_array();
  EXPECT_EQ(entries.at(0).at("key"), "master");
  EXPECT_EQ(entries.at(0).at("before").at("memoryMb"), 256);
  EXPECT_TRUE(entries.at(0).at("after").is_null());
  EXPECT_EQ(entries.at(2).at("key"), boost::json::string(id_of(mine)));
  EXPECT_EQ(entries.at(2).at("before").at("memoryMb"), 128);
  EXPECT_EQ(entries.at(2).at("after").at("memoryMb"), 256);
  EXPECT_EQ(uuid_version(entries.at(2).at("requestId").as_string().c_str()), 7);
  const std::string all = api_.get("/audit").body;
  EXPECT_THAT(all, Not(HasSubstr("hidden")));
  EXPECT_THAT(all, Not(HasSubstr(mine.substr(mine.find('.') + 1))));

  for (int i = 0; i < 10; ++i) expect_error(run(mine, "f"), 403, "key_not_allowed", "invoke");
  EXPECT_THAT(audited(), ::testing::Contains("POST /run key_not_allowed -").Times(1));

  const auto page = api_.get("/audit?limit=2");
  const std::string link = page.header("Link");
  EXPECT_EQ(page.json().at("entries").as_array().size(), 2U);
  const auto rest = api_.get(link.substr(1, link.find('>') - 1));
  EXPECT_EQ(rest.json().at("entries").as_array().size(), 2U) << rest.body;
  expect_error(api_.get("/audit?cursor=nonsense"), 400, "invalid_cursor");
  expect_error(get(mine, "/audit"), 403, "key_not_allowed");
}

TEST_F(KeyRoutes, AChangeThatCantBeAuditedIsNotMade) {
  api_.add_function("f");
  api_.writes.left = 0;
  EXPECT_EQ(api_.send({.method = "DELETE", .target = "/functions/f"}).status, 503);
  EXPECT_TRUE(api_.functions.rows.contains({"f"}));
}

TEST_F(KeyRoutes, WhereTheStoreIsAwayANamedKeyIsNeitherRightNorWrongAndTheMasterWorks) {
  const std::string mine = key(R"(["read"])");
  api_.writes.left = 0;
  expect_error(get(mine, "/functions"), 503, "engine_unavailable");
  EXPECT_EQ(api_.get("/functions").status, 200);
}

TEST_F(KeyRoutes, WithoutATableThereIsTheMasterKeyAlone) {
  TestApi api({.configuration = false});
  for (const char* path : {"/keys", "/audit"}) expect_error(api.get(path), 501, "configuration_absent", "infra setup");
  expect_error(api.send_json("POST", "/keys", R"({"name":"a","scopes":["read"]})"), 501, "configuration_absent");
  EXPECT_EQ(api.get("/whoami").status, 200);
  api.add_function("f");
  EXPECT_EQ(api.send({.method = "DELETE", .target = "/functions/f"}).status, 200);
  expect_error(api.send({.target = "/functions", .key = "k_aaaaaaaaaaaa." + std::string(43, 'A')}), 401,
               "unauthorized");
}

}  // namespace
}  // namespace infra::http
