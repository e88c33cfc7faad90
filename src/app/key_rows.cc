#include "app/key_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "core/sha256.h"

namespace infra::app {
namespace {

// The row's attributes.
constexpr const char* kName = "name";
constexpr const char* kScopes = "scopes";        // separated by spaces
constexpr const char* kFunctions = "functions";  // the same; absent: all
constexpr const char* kRateLimit = "rateLimit";
constexpr const char* kValidUntil = "validUntil";  // this and other times in ms
constexpr const char* kCreatedAt = "createdAt";
constexpr const char* kLastUsedAt = "lastUsedAt";
constexpr const char* kRevokedAt = "revokedAt";
constexpr const char* kDigest = "secretHash";
constexpr const char* kOldDigest = "oldSecretHash";
constexpr const char* kSealed = "sealed";
constexpr const char* kOldSealed = "oldSealed";

std::int64_t in_ms(WallTime time) {
  return time.time_since_epoch().count();
}

std::optional<std::int64_t> number(const ConfigurationItem& item, std::string_view name) {
  const auto found = item.attributes.find(name);
  const auto* value = found == item.attributes.end() ? nullptr : std::get_if<std::int64_t>(&found->second);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<WallTime> time_of(const ConfigurationItem& item, std::string_view name) {
  const auto ms = number(item, name);
  return ms ? std::optional(WallTime{milliseconds{*ms}}) : std::nullopt;
}

template <typename Each>
void for_each_word(std::string_view text, Each each) {
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    if (end > 0) each(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

ConfigurationKey place_of_key(std::string id) {
  return {.partition = kKeyPartition, .sort = std::move(id)};
}

ConfigurationItem to_item(const KeyRow& row) {
  const ApiKey& key = row.key;
  ConfigurationItem item{.key = place_of_key(key.id), .attributes = {}};
  auto& attributes = item.attributes;
  attributes[kKeyMark] = row.mark;
  attributes[kName] = key.name;
  attributes[kScopes] = fmt::format("{}", fmt::join(key.scopes.names(), " "));
  if (key.functions) {
    std::string ids;
    for (const auto& id : *key.functions) ids.append(ids.empty() ? "" : " ").append(id.value);
    attributes[kFunctions] = std::move(ids);
  }
  if (key.rate_limit) attributes[kRateLimit] = std::int64_t{*key.rate_limit};
  attributes[kCreatedAt] = in_ms(key.created_at);
  if (key.last_used_at) attributes[kLastUsedAt] = in_ms(*key.last_used_at);
  attributes[kDigest] = key.digest;
  if (!key.old_digest.empty()) attributes[kOldDigest] = key.old_digest;
  if (!key.sealed.empty()) attributes[kSealed] = key.sealed;
  if (!key.old_sealed.empty()) attributes[kOldSealed] = key.old_sealed;
  std::optional<WallTime> ends;
  if (key.expires_at) {
    attributes[kValidUntil] = in_ms(*key.expires_at);
    ends = key.expires_at;
  }
  if (key.revoked_at) {
    attributes[kRevokedAt] = in_ms(*key.revoked_at);
    ends = ends ? std::min(*ends, *key.revoked_at) : *key.revoked_at;
  }
  if (ends) item.expires_at = std::chrono::floor<std::chrono::seconds>(*ends + limits::kKeyTombstone);
  return item;
}

std::optional<KeyRow> to_key_row(const ConfigurationItem& item) {
  KeyRow row{.key = {.id = item.key.sort}, .mark = item.text(kKeyMark)};
  ApiKey& key = row.key;
  key.digest = item.text(kDigest);
  if (!is_api_key_id(key.id) || !is_sha256(key.digest)) return std::nullopt;
  key.old_digest = item.text(kOldDigest);
  key.sealed = item.text(kSealed);
  key.old_sealed = item.text(kOldSealed);
  key.name = item.text(kName);
  // A scope that a newer program knows allows nothing here.
  for_each_word(item.text(kScopes), [&](std::string_view name) { static_cast<void>(key.scopes.add_named(name)); });
  if (item.attributes.contains(kFunctions)) {
    key.functions.emplace();
    for_each_word(item.text(kFunctions), [&](std::string_view id) { key.functions->push_back({std::string(id)}); });
    std::ranges::sort(*key.functions);
  }
  if (const auto limit = number(item, kRateLimit)) key.rate_limit = static_cast<int>(*limit);
  key.expires_at = time_of(item, kValidUntil);
  key.created_at = time_of(item, kCreatedAt).value_or(WallTime{});
  key.last_used_at = time_of(item, kLastUsedAt);
  key.revoked_at = time_of(item, kRevokedAt);
  return row;
}

}  // namespace infra::app
