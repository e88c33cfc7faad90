#include "app/known_keys.h"

#include <utility>

#include "core/error_codes.h"
#include "telemetry/log.h"

namespace infra::app {

Task<Result<std::shared_ptr<const ApiKey>>> KnownKeys::find(PresentedKey presented, bool may_ask) {
  if (store_ == nullptr || !store_->exists()) co_return nullptr;
  if (!may_ask && !recall(presented.id) && !was_seen(presented.id)) co_return nullptr;
  const auto known = co_await look_up(presented.id);
  if (!known && known.error().code == errors::configuration_absent) co_return nullptr;
  if (!known) co_return fail(known.error());
  const auto& row = known->row;
  if (!row || !opens(row->key, presented.secret) || !row->key.is_valid(clock_.now())) co_return nullptr;
  note_use(*row);
  co_return std::shared_ptr<const ApiKey>(row, &row->key);
}

Task<Result<KnownKeys::Read>> KnownKeys::look_up(std::string id) {
  if (auto known = recall(id)) co_return std::move(*known);
  auto fresh = co_await reading_.run(id, [this, id] { return read(id); });
  // Of a read that took so long it says nothing of now.
  if (fresh && clock_.steady_now() - fresh->at >= kTrusted)
    co_return fail(errors::engine_unavailable, "The key could not be looked up in time; try again in a moment.");
  co_return fresh;
}

Task<bool> KnownKeys::still_holds(std::shared_ptr<const ApiKey> key) {
  const auto known = co_await look_up(key->id);
  if (!known || !known->row || !known->row->key.is_valid(clock_.now())) co_return false;
  const ApiKey& now = known->row->key;
  // Another secret may have come since, and the one before gone; a scope or function can't go.
  co_return now.digest == key->digest || now.old_digest == key->digest || now.digest == key->old_digest ||
      (!key->old_digest.empty() && now.old_digest == key->old_digest);
}

void KnownKeys::forget(const std::string& id) {
  const MutexLock lock(mutex_);
  if (Known* const known = known_.peek(id)) known->read.at = SteadyTime::min();
  absent_.erase(id);
}

std::optional<KnownKeys::Read> KnownKeys::recall(const std::string& id) {
  const SteadyTime now = clock_.steady_now();
  const MutexLock lock(mutex_);
  if (const Known* const known = known_.use(id)) {
    if (known->read.at != SteadyTime::min() && now - known->read.at < kTrusted) return known->read;
    return std::nullopt;
  }
  const SteadyTime* const absent = absent_.use(id);
  if (absent != nullptr && now - *absent < kTrusted) return Read{.row = nullptr, .at = *absent};
  return std::nullopt;
}

bool KnownKeys::was_seen(const std::string& id) {
  const MutexLock lock(mutex_);
  return known_.peek(id) != nullptr;
}

Task<Result<KnownKeys::Read>> KnownKeys::read(std::string id) {
  Read read{.row = nullptr, .at = clock_.steady_now()};
  const auto item = co_await store_->get(place_of_key(id));
  if (!item) co_return fail(item.error());
  if (*item) {
    if (auto row = to_key_row(**item)) read.row = std::make_shared<const KeyRow>(std::move(*row));
  }
  learn(id, read);
  co_return read;
}

void KnownKeys::learn(const std::string& id, const Read& read) {
  const MutexLock lock(mutex_);
  if (read.row) {
    known_.use_or_make(id, [] { return Known{}; }).read = read;
    absent_.erase(id);
  } else {
    known_.erase(id);
    absent_.use_or_make(id, [] { return SteadyTime{}; }) = read.at;
  }
}

void KnownKeys::note_use(const KeyRow& row) {
  const WallTime now = clock_.now();
  if (row.key.last_used_at && now - *row.key.last_used_at < kUseNoted) return;
  {
    const MutexLock lock(mutex_);
    Known* const known = known_.peek(row.key.id);
    if (known == nullptr) return;
    const SteadyTime steady = clock_.steady_now();
    if (known->noted && steady - *known->noted < kUseNoted) return;
    known->noted = steady;
  }
  KeyRow used = row;
  used.key.last_used_at = now;
  executor_.spawn("noting a key's use", write_use(std::move(used)));
}

// Loses against any other change of the row: the next minute has another use.
Task<void> KnownKeys::write_use(KeyRow row) {
  const ConfigurationCondition still{.attribute = kKeyMark, .value = row.mark};
  row.mark = ids_.request_id().value;
  const auto written = co_await store_->replace(to_item(row), still);
  if (!written && written.error().kind != ErrorKind::conflict)
    log::warn("a key's use could not be noted", {{"key", row.key.id}, {"code", written.error().code}});
}

}  // namespace infra::app
