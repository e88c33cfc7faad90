#include "app/audit.h"

#include <fmt/format.h>

#include <cstdint>
#include <utility>
#include <variant>

#include "core/error_codes.h"
#include "core/limits.h"
#include "telemetry/log.h"

namespace infra::app {
namespace {

constexpr const char* kPartition = "audit";
constexpr const char* kAt = "at";
constexpr const char* kKey = "key";
constexpr const char* kAction = "action";
constexpr const char* kTarget = "target";
constexpr const char* kBefore = "before";
constexpr const char* kAfter = "after";
constexpr const char* kRequest = "requestId";
constexpr const char* kOutcome = "outcome";
constexpr const char* kBegun = "begun";

// Falls as time goes on, so that a query from the start has the newest first.
std::string newest_first(WallTime at) {
  constexpr std::int64_t kLast = 9'999'999'999'999;  // ms: the year 2286
  return fmt::format("{:013}", kLast - at.time_since_epoch().count());
}

ConfigurationItem item_of(const AuditEntry& entry, std::string sort) {
  ConfigurationItem item{.key = {.partition = kPartition, .sort = std::move(sort)}, .attributes = {}};
  item.attributes[kAt] = std::int64_t{entry.at.time_since_epoch().count()};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) item.attributes[name] = value;
  };
  add(kKey, entry.key);
  add(kAction, entry.action);
  add(kTarget, entry.target);
  if (entry.before.size() <= Audit::kMaxState) add(kBefore, entry.before);
  if (entry.after.size() <= Audit::kMaxState) add(kAfter, entry.after);
  add(kRequest, entry.request);
  add(kOutcome, entry.outcome);
  item.expires_at = std::chrono::floor<std::chrono::seconds>(entry.at + limits::kAuditTtl);
  return item;
}

std::string place_of(const AuditEntry& entry) {
  return newest_first(entry.at) + "-" + entry.request;
}

AuditEntry entry_of(const ConfigurationItem& item) {
  AuditEntry entry;
  const auto at = item.attributes.find(kAt);
  const auto* ms = at == item.attributes.end() ? nullptr : std::get_if<std::int64_t>(&at->second);
  if (ms != nullptr) entry.at = WallTime{milliseconds{*ms}};
  entry.key = item.text(kKey);
  entry.action = item.text(kAction);
  entry.target = item.text(kTarget);
  entry.before = item.text(kBefore);
  entry.after = item.text(kAfter);
  entry.request = item.text(kRequest);
  entry.outcome = item.text(kOutcome);
  return entry;
}

}  // namespace

Task<Result<void>> Audit::begin(AuditEntry& entry) {
  if (!possible()) co_return Result<void>{};
  entry.at = clock_.now();
  entry.outcome = kBegun;
  auto begun = co_await store_->put_new(item_of(entry, place_of(entry)));
  if (!begun && begun.error().code == errors::configuration_absent) co_return Result<void>{};
  co_return begun;
}

Task<void> Audit::end(AuditEntry entry) {
  if (!possible()) co_return;
  const auto ended =
      co_await store_->replace(item_of(entry, place_of(entry)), {.attribute = kOutcome, .value = kBegun});
  if (!ended) log::warn("an audited change's end was not written", {{"code", ended.error().code}});
}

Task<void> Audit::withdraw(AuditEntry entry) {
  if (!possible()) co_return;
  const auto gone = co_await store_->remove({.partition = kPartition, .sort = place_of(entry)},
                                            {.attribute = kOutcome, .value = kBegun});
  if (!gone) log::warn("an audited change's end was not written", {{"code", gone.error().code}});
}

void Audit::refused(AuditEntry entry, const std::string& address) {
  if (!possible()) return;
  entry.at = clock_.now();
  const auto minute = std::chrono::floor<std::chrono::minutes>(entry.at);
  // The item's place is the same for all of a minute, whichever controller meets them.
  std::string sort = fmt::format("{}-refused-{}-{}", newest_first(minute), entry.key, address);
  {
    const MutexLock lock(mutex_);
    if (refusals_.use(sort) != nullptr) return;
    refusals_.use_or_make(sort, [] { return true; });
  }
  executor_.spawn("auditing a refusal", write_refusal(item_of(entry, std::move(sort))));
}

Task<void> Audit::write_refusal(ConfigurationItem item) {
  const auto written = co_await store_->put_new(item);
  if (!written && written.error().kind != ErrorKind::conflict)
    log::warn("a refused use of a key was not audited", {{"code", written.error().code}});
}

Task<Result<AuditPage>> Audit::list(std::string after, int limit) {
  if (!possible()) co_return fail(configuration_absent());
  auto page = co_await store_->query(kPartition, after, limit);
  if (!page) co_return fail(page.error());
  AuditPage audit{.entries = {}, .next = std::move(page->next)};
  for (const auto& item : page->items) audit.entries.push_back(entry_of(item));
  co_return audit;
}

}  // namespace infra::app
