// Function metadata in infra.db. Recently used rows are kept in memory: this process is the only writer, and the cache
// changes on the writer thread in commit order, so it is exact.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "adapters/sqlite/database.h"
#include "core/job_result.h"
#include "core/lru.h"
#include "core/mutex.h"
#include "ports/function_store.h"

namespace infra {

// Rows by id, the longest unused dropped first. Any thread.
class FunctionCache {
 public:
  explicit FunctionCache(std::size_t capacity) : rows_(capacity) {}
  [[nodiscard]] std::optional<Function> find(const FunctionId& id);
  void put(const Function& function);
  void erase(const FunctionId& id);
  void count(const LogRow& run);  // adds it to its function's counters

 private:
  Mutex mutex_;
  Lru<FunctionId, Function> rows_ INFRA_GUARDED_BY(mutex_);
};

class SqliteFunctionStore final : public FunctionStore {
 public:
  // `on_code_left` (may be empty) is told of code that a row names no more, before that is committed: on the writer
  // thread, and also after this object's end. In the same commit the code is on the list of RetiredCode.
  using OnCodeLeft = std::function<void(const std::string& sha256)>;
  explicit SqliteFunctionStore(Database& database, OnCodeLeft on_code_left = {})
      : database_(database), on_code_left_(std::move(on_code_left)) {}

  Task<Result<void>> insert(const Function& function) override;
  Task<Result<Function>> find(const FunctionId& id) override;
  Task<Result<Function>> find_current(const FunctionId& id) override { return find(id); }
  Task<Result<Function>> update(const FunctionId& id, const FunctionChange& change, WallTime now) override;
  Task<Result<Function>> remove(const FunctionId& id) override;
  Task<Result<FunctionPage>> list(int limit, const std::string& cursor) override;

  // For who writes counters: changed on the writer thread only, once that write is committed.
  [[nodiscard]] const std::shared_ptr<FunctionCache>& cache() const { return cache_; }

 private:
  static constexpr std::size_t kCachedRows = 10'000;

  Database& database_;
  const OnCodeLeft on_code_left_;
  // Shared with queued writes, which settle even when this object's owner has been faster to leave.
  std::shared_ptr<FunctionCache> cache_ = std::make_shared<FunctionCache>(kCachedRows);
};

}  // namespace infra
