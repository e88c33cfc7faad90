#include "app/function_names.h"

#include <fmt/format.h>

#include <utility>

#include "core/error_codes.h"
#include "core/function_name.h"
#include "core/text.h"

namespace infra::app {
namespace {

std::unexpected<Error> not_found(std::string_view name) {
  return fail(
      errors::name_not_found,
      fmt::format("No function has the name \"{}\"; GET /functions lists those that there are, POST /upload with "
                  "deploy=true makes one of this name.",
                  replace_invalid_utf8(cut_utf8(name, limits::kMaxClaimedName))));
}

}  // namespace

Task<Result<Function>> FunctionNames::find(std::string name) {
  if (const auto id = known(name)) {
    auto row = co_await functions_.find(*id);
    if (row ? row->name == name : row.error().kind != ErrorKind::not_found) co_return row;
  }
  const SteadyTime now = clock_.steady_now();
  if (claims_.possible() && !is_claimable_name(name)) co_return not_found(name);
  const auto claim = co_await claims_.read(name);
  if (!claim) co_return fail(claim.error());
  if (!*claim) co_return not_found(name);
  auto row = co_await functions_.find((*claim)->function);
  if (row && row->name != name) row = co_await functions_.find_current((*claim)->function);
  if (!row && row.error().kind != ErrorKind::not_found) co_return row;
  if (!row || row->name != name) co_return not_found(name);
  learn(name, row->id, now);
  co_return row;
}

std::optional<FunctionId> FunctionNames::known(const std::string& name) {
  const MutexLock lock(mutex_);
  const Known* const found = known_.use(name);
  if (found == nullptr || clock_.steady_now() - found->read_at >= kTrusted) return std::nullopt;
  return found->function;
}

void FunctionNames::learn(const std::string& name, const FunctionId& function, SteadyTime read_at) {
  const MutexLock lock(mutex_);
  known_.use_or_make(name, [] { return Known{}; }) = {.function = function, .read_at = read_at};
}

}  // namespace infra::app
