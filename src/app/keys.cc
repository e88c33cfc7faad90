#include "app/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/error_codes.h"
#include "core/limits.h"
#include "core/text.h"

namespace infra::app {
namespace {

constexpr int kTries = 5;  // where others change the same key: its use is noted once a minute a controller
constexpr int kPage = 1000;

std::unexpected<Error> not_found() {
  return fail(errors::key_not_found, "There is no such key, or it is revoked; GET /keys lists those that there are.");
}

std::unexpected<Error> invalid(std::string sentence) {
  return fail(errors::invalid_key, std::move(sentence));
}

Result<void> check(const WantedKey& wanted, WallTime now) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (wanted.name.empty() || wanted.name.size() > limits::kMaxKeyName || !is_valid_utf8(wanted.name) ||
      std::ranges::any_of(wanted.name, is_control)) {
    return invalid(
        fmt::format("name must be 1 to {} bytes of text without control characters; it says what the key "
                    "is for.",
                    limits::kMaxKeyName));
  }
  if (wanted.scopes.empty()) return invalid("scopes must name at least one of invoke, read, deploy, admin.");
  if (wanted.functions) {
    const auto& ids = *wanted.functions;
    if (ids.empty() || ids.size() > limits::kMaxKeyFunctions ||
        !std::ranges::all_of(ids, [](const FunctionId& id) { return is_valid_function_id(id.value); })) {
      return invalid(fmt::format("functions must be 1 to {} ids of functions; leave it out for all of them.",
                                 limits::kMaxKeyFunctions));
    }
    if (wanted.scopes.has(Scope::admin))
      return invalid("functions can't go with the scope admin, which makes keys for all of them.");
  }
  if (wanted.rate_limit && (*wanted.rate_limit < 1 || *wanted.rate_limit > limits::kMaxKeyRate)) {
    return invalid(
        fmt::format("rateLimit must be a whole number from 1 to {}, of requests in a window.", limits::kMaxKeyRate));
  }
  if (wanted.expires_at && *wanted.expires_at <= now) return invalid("expiresAt must lie in the future.");
  return {};
}

ApiKey key_of(WantedKey wanted) {
  if (wanted.functions) {
    auto& ids = *wanted.functions;
    std::ranges::sort(ids);
    const auto twice = std::ranges::unique(ids);
    ids.erase(twice.begin(), twice.end());
  }
  ApiKey key;
  key.name = std::move(wanted.name);
  key.scopes = wanted.scopes;
  key.functions = std::move(wanted.functions);
  key.rate_limit = wanted.rate_limit;
  key.expires_at = wanted.expires_at;
  return key;
}

}  // namespace

std::string Keys::make_secret() {
  std::array<std::byte, 32> bytes{};
  random_.fill(bytes);
  return make_api_key_secret(bytes);
}

std::string Keys::seal(const std::string& secret, const std::string& id) {
  if (!secrets_) return {};
  SecretsKey::Nonce nonce{};
  random_.fill(nonce);
  return secrets_->seal(secret, id, nonce);
}

bool Keys::can_sign(const ApiKey& key) const {
  return secrets_ && secrets_->open(key.sealed, key.id).has_value();
}

Task<Result<ToldKey>> Keys::make(WantedKey wanted) {
  if (store_ == nullptr) co_return fail(configuration_absent());
  const WallTime now = clock_.now();
  if (auto ok = check(wanted, now); !ok) co_return fail(ok.error());
  const auto there = co_await list();
  if (!there) co_return fail(there.error());
  if (there->size() >= limits::kMaxKeys) {
    co_return fail(
        errors::too_many_keys,
        fmt::format("There are {} keys already, as many as there may be; revoke some. Those that are revoked "
                    "or expired leave the list after a week.",
                    limits::kMaxKeys));
  }
  KeyRow row{.key = key_of(std::move(wanted)), .mark = ids_.request_id().value};
  row.key.created_at = now;
  const std::string secret = make_secret();
  row.key.digest = secret_digest(secret);
  Result<void> put;
  for (int tries = 0; tries < kTries; ++tries) {  // an id that is another's by chance is not to be met twice
    std::array<std::byte, 12> bytes{};
    random_.fill(bytes);
    row.key.id = make_api_key_id(bytes);
    row.key.sealed = seal(secret, row.key.id);
    put = co_await store_->put_new(to_item(row));
    if (put || put.error().kind != ErrorKind::conflict) break;
  }
  if (!put) co_return fail(put.error());
  known_.forget(row.key.id);
  std::string text = row.key.id + "." + secret;
  co_return ToldKey{.key = std::move(row.key), .text = std::move(text)};
}

Task<Result<std::vector<ApiKey>>> Keys::list() {
  if (store_ == nullptr) co_return fail(configuration_absent());
  std::vector<ApiKey> keys;
  std::string after;
  do {
    auto page = co_await store_->query(kKeyPartition, after, kPage);
    if (!page) co_return fail(page.error());
    for (const auto& item : page->items) {
      if (auto row = to_key_row(item)) keys.push_back(std::move(row->key));
    }
    after = std::move(page->next);
  } while (!after.empty());
  co_return keys;
}

Task<Result<std::optional<KeyRow>>> Keys::read(std::string id) {
  if (store_ == nullptr) co_return fail(configuration_absent());
  if (!is_api_key_id(id)) co_return std::nullopt;
  const auto item = co_await store_->get(place_of_key(std::move(id)));
  if (!item) co_return fail(item.error());
  co_return *item ? to_key_row(**item) : std::nullopt;
}

Task<Result<ApiKey>> Keys::find(std::string id) {
  auto row = co_await read(std::move(id));
  if (!row) co_return fail(row.error());
  if (!*row || (*row)->key.revoked_at) co_return not_found();
  co_return std::move((*row)->key);
}

Task<Result<ApiKey>> Keys::change(std::string id, Change apply) {
  for (int tries = 0; tries < kTries; ++tries) {
    auto row = co_await read(id);
    if (!row) co_return fail(row.error());
    if (!*row || (*row)->key.revoked_at) co_return not_found();
    if (auto ok = apply((*row)->key); !ok) co_return fail(ok.error());
    const ConfigurationCondition still{.attribute = kKeyMark, .value = (*row)->mark};
    (*row)->mark = ids_.request_id().value;
    const auto written = co_await store_->replace(to_item(**row), still);
    known_.forget(id);
    if (written) co_return std::move((*row)->key);
    if (written.error().kind != ErrorKind::conflict) co_return fail(written.error());
  }
  co_return fail(errors::key_changing, "Others are changing this key at the same time; send the request again.");
}

Task<Result<ToldKey>> Keys::rotate(std::string id) {
  const std::string secret = make_secret();
  auto changed = co_await change(std::move(id), [this, &secret](ApiKey& key) -> Result<void> {
    if (!key.old_digest.empty()) {
      return fail(errors::old_secret_kept,
                  "The key has two secrets already; drop the older one first (DELETE /keys/:id/secrets/old).");
    }
    key.old_digest = std::exchange(key.digest, secret_digest(secret));
    key.old_sealed = std::exchange(key.sealed, seal(secret, key.id));
    return {};
  });
  if (!changed) co_return fail(changed.error());
  std::string text = changed->id + "." + secret;
  co_return ToldKey{.key = std::move(*changed), .text = std::move(text)};
}

Task<Result<ApiKey>> Keys::drop_old(std::string id) {
  return change(std::move(id), [](ApiKey& key) -> Result<void> {
    if (key.old_digest.empty()) return fail(errors::old_secret_not_found, "The key has one secret only.");
    key.old_digest.clear();
    key.old_sealed.clear();
    return {};
  });
}

Task<Result<ApiKey>> Keys::revoke(std::string id) {
  return change(std::move(id), [this](ApiKey& key) -> Result<void> {
    key.revoked_at = clock_.now();
    return {};
  });
}

}  // namespace infra::app
