// The function rows that a controller knows, so that a run costs no read: kept current by whoever owns it, and never
// overwritten by what was read before a change.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/function.h"
#include "core/time.h"

namespace infra::aws {

// Any thread.
class FunctionCache {
 public:
  static constexpr std::chrono::seconds kRecent{60};      // used within it: re-read every second
  static constexpr std::chrono::minutes kUnverified{10};  // older knowledge is not used, nor are rows kept unused

  // The row, if it is known and current. Counts as a use.
  [[nodiscard]] std::optional<Function> find(const FunctionId& id, SteadyTime now);

  // A read begins: what it brings is taken only if nothing has changed since.
  [[nodiscard]] std::uint64_t begin_read() const;
  void put(Function row, std::uint64_t begun, SteadyTime now);
  void erase(const FunctionId& id, std::uint64_t begun);

  void changed(const FunctionId& id);
  void all_changed();

  // Those used lately; forgets those that were not used for long.
  [[nodiscard]] std::vector<FunctionId> recently_used(SteadyTime now);

 private:
  struct Entry {
    Function row;
    bool current = true;
    SteadyTime used;
    SteadyTime verified;
  };
  mutable std::mutex mutex_;
  std::uint64_t changes_ = 0;
  std::unordered_map<FunctionId, Entry> entries_;
};

}  // namespace infra::aws
