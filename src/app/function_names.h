// Finding functions by name. What was found is known by heart, and needs no read as long as the row, which every run
// reads, has the name: rows are kept current by their store, and with them the names.
#pragma once

#include <optional>
#include <string>

#include "app/name_claims.h"
#include "core/lru.h"
#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/function_store.h"

namespace infra::app {

// Any event thread.
class FunctionNames {
 public:
  static constexpr std::size_t kKnown = 10'000;  // names; the longest unused go first
  // A function that has lost its claim may come to have the name again, without one: so long it may be found by it.
  static constexpr std::chrono::seconds kTrusted{60};

  FunctionNames(NameClaims& claims, FunctionStore& functions, const Clock& clock)
      : claims_(claims), functions_(functions), clock_(clock) {}

  // The function that has the name, as FunctionStore::find() has it. `not_found` (code name_not_found), `not_set_up`
  // (code configuration_absent).
  Task<Result<Function>> find(std::string name);

 private:
  struct Known {
    FunctionId function;
    SteadyTime read_at;
  };
  [[nodiscard]] std::optional<FunctionId> known(const std::string& name);
  void learn(const std::string& name, const FunctionId& function, SteadyTime read_at);

  NameClaims& claims_;
  FunctionStore& functions_;
  const Clock& clock_;
  Mutex mutex_;
  Lru<std::string, Known> known_ INFRA_GUARDED_BY(mutex_){kKnown};
};

}  // namespace infra::app
