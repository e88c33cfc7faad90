#include "app/name_claims.h"

#include <utility>

#include "core/error_codes.h"
#include "telemetry/log.h"

namespace infra::app {
namespace {

constexpr const char* kPartition = "name";
constexpr const char* kFunction = "functionId";
constexpr const char* kMark = "mark";

ConfigurationKey key_of(std::string name) {
  return {.partition = kPartition, .sort = std::move(name)};
}

ConfigurationItem item_of(std::string name, const NameClaim& claim) {
  return {.key = key_of(std::move(name)), .attributes = {{kFunction, claim.function.value}, {kMark, claim.mark}}};
}

ConfigurationCondition still(const NameClaim& claim) {
  return {.attribute = kMark, .value = claim.mark};
}

}  // namespace

Task<Result<std::optional<NameClaim>>> NameClaims::read(std::string name) {
  if (store_ == nullptr) co_return fail(configuration_absent());
  const auto item = co_await store_->get(key_of(std::move(name)));
  if (!item) co_return fail(item.error());
  if (!*item) co_return std::nullopt;
  co_return NameClaim{.function = {(*item)->text(kFunction)}, .mark = (*item)->text(kMark)};
}

Task<Result<NameClaim>> NameClaims::take(std::string name, FunctionId function, std::optional<NameClaim> seen) {
  if (store_ == nullptr) co_return fail(configuration_absent());
  NameClaim claim{.function = std::move(function), .mark = ids_.request_id().value};
  const auto item = item_of(std::move(name), claim);
  const auto put = seen ? co_await store_->replace(item, still(*seen)) : co_await store_->put_new(item);
  if (!put) co_return fail(put.error());
  co_return claim;
}

Task<Result<bool>> NameClaims::confirm(std::string name, NameClaim claim) {
  const auto taken = co_await take(name, claim.function, claim);
  if (taken) co_return true;
  if (taken.error().kind != ErrorKind::conflict) co_return fail(taken.error());
  const auto now = co_await read(std::move(name));
  if (!now) co_return fail(now.error());
  co_return *now && (*now)->function == claim.function;
}

Task<void> NameClaims::drop(std::string name, NameClaim claim) {
  if (store_ == nullptr) co_return;
  const auto dropped = co_await store_->remove(key_of(std::move(name)), still(claim));
  if (!dropped && dropped.error().kind != ErrorKind::conflict)
    log::warn("a name's claim could not be dropped",
              {{"functionId", claim.function.value}, {"code", dropped.error().code}});
}

}  // namespace infra::app
