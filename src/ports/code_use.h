// The references to bundles, by which the code store decides what it may delete: whether a row or job names a bundle,
// and which bundles wait for deletion. Both live in the database; the code store gets them injected so that it need not
// know of SQLite.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "core/task.h"

namespace infra {

// Any event thread.
class CodeUse {
 public:
  virtual ~CodeUse() = default;
  // True while a function row or an unfinished job (durable or in memory) names the bundle.
  virtual Task<Result<bool>> is_used(const std::string& sha256) = 0;
};

// The bundles that no function row names any more and that are still on disk. Survives restarts. Any event thread.
class RetiredCode {
 public:
  virtual ~RetiredCode() = default;
  virtual Task<Result<void>> add(const std::string& sha256) = 0;     // durable when it returns; twice is no error
  virtual Task<Result<void>> remove(const std::string& sha256) = 0;  // absent is no error
  virtual Task<Result<std::vector<std::string>>> list() = 0;         // oldest first
};

}  // namespace infra
