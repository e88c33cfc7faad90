#include "app/watch_functions.h"

#include <utility>

#include "telemetry/log.h"

namespace infra::app {
namespace {

constexpr int kPage = 1000;

// Rows of the reference platform have no hash, without which nothing can be started before a call.
bool can_wait(const Function& function) {
  return function.keep_warm > 0 && !function.code.sha256.empty();
}

}  // namespace

Task<void> WatchFunctions::tell_of_all() {
  std::set<FunctionId> not_told = kept();
  std::string cursor;
  do {
    const auto page = co_await functions_.list(kPage, cursor);
    if (!page) {
      complete_ = false;
      if (!warned_.exchange(true)) {
        log::warn("functions could not be read, so that none is started ahead until they can be",
                  {{"code", page.error().code}, {"why", page.error().message}});
      }
      co_return;
    }
    for (const auto& function : page->functions) {
      if (!can_wait(function)) continue;
      observer_.deployed(function);
      note(function.id, true);
      not_told.erase(function.id);
    }
    cursor = page->next_cursor;
  } while (!cursor.empty() && !stopping_);
  complete_ = true;
  warned_ = false;
  for (const auto& id : not_told) co_await tell_of(id);
}

Task<void> WatchFunctions::tell_of(FunctionId changed) {
  if (co_await look_at(changed)) co_return;
  observer_.removed(changed);
  note(changed, true);
}

Task<void> WatchFunctions::look_again() {
  if (!complete_) co_await tell_of_all();
  for (const auto& id : kept()) {
    if (stopping_ || !co_await look_at(id)) co_return;
  }
}

// False if the row can't be read.
Task<bool> WatchFunctions::look_at(FunctionId id) {
  const auto function = co_await functions_.find(id);
  if (!function && function.error().kind != ErrorKind::not_found) co_return false;
  if (function && !function->code.sha256.empty()) {
    observer_.deployed(*function);
  } else {
    observer_.removed(id);
  }
  note(id, function && can_wait(*function));
  co_return true;
}

std::set<FunctionId> WatchFunctions::kept() const {
  const MutexLock lock(mutex_);
  return kept_;
}

void WatchFunctions::note(const FunctionId& id, bool kept) {
  const MutexLock lock(mutex_);
  if (kept) {
    kept_.insert(id);
  } else {
    kept_.erase(id);
  }
}

}  // namespace infra::app
